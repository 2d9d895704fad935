package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads one YAML document into the nodes that JSON gives. What JSON
// cannot say (anchors and aliases, merge keys, tags, numbers such as 0x10 and
// .inf, keys that are not scalars) is refused: what stands at a place is then
// all there is to it, and no small file can unfold into a huge value.
func parseYAML(src string) (node, error) {
	dec := yaml.NewDecoder(bytes.NewReader([]byte(src)))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return node{}, yamlFault(err)
	}
	root, err := fromYAML(&doc, 0)
	if err != nil {
		return node{}, err
	}
	if err := dec.Decode(&second); err == nil {
		return node{}, refuse(&second, "a second document", "a manifest is one document")
	} else if !errors.Is(err, io.EOF) {
		return node{}, yamlFault(err)
	}
	return root, nil
}

func fromYAML(y *yaml.Node, depth int) (node, error) {
	n := node{at: yamlPosition(y)}
	if depth > maxDepth {
		return n, refuse(y, "values nest too deeply", fmt.Sprintf("%d levels are read", maxDepth))
	}
	switch y.Kind {
	case yaml.DocumentNode:
		return fromYAML(y.Content[0], depth)
	case yaml.MappingNode:
		n.kind = object
		return n, mapping(y, &n, depth)
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			value, err := fromYAML(item, depth+1)
			if err != nil {
				return n, err
			}
			n.items = append(n.items, value)
		}
		return n, collectionTag(y)
	case yaml.ScalarNode:
		return n, scalar(y, &n)
	default:
		return n, refuse(y, "an alias", "write the value out: a manifest has no anchors and aliases")
	}
}

func mapping(y *yaml.Node, n *node, depth int) error {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		switch {
		case key.Kind == yaml.AliasNode:
			return refuse(key, "an alias", "write the key out: a manifest has no anchors and aliases")
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			return refuse(key, "a key that is not a string", "")
		case key.ShortTag() == "!!merge":
			return refuse(key, "a merge key", "write the fields out: a manifest has no merge keys")
		}
		v, err := fromYAML(value, depth+1)
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{at: yamlPosition(key), key: key.Value, value: v})
	}
	return collectionTag(y)
}

func scalar(y *yaml.Node, n *node) error {
	n.text = y.Value
	switch y.ShortTag() {
	case "!!null":
		n.kind, n.text = null, ""
	case "!!bool":
		return boolScalar(y, n)
	case "!!int", "!!float":
		n.kind = number
		if !json.Valid([]byte(y.Value)) {
			return refuse(y, excerptOf(y.Value)+" is not a number as JSON writes it", fmt.Sprintf("if it is a string, write it in quotes: %q", y.Value))
		}
	case "!!str", "!!timestamp":
		n.kind = text
	default:
		return refuse(y, "the tag "+excerptOf(y.Tag), "a manifest has no tags")
	}
	return nil
}

func boolScalar(y *yaml.Node, n *node) error {
	var value bool
	if err := y.Decode(&value); err != nil {
		return refuse(y, excerptOf(y.Value)+" is neither true nor false", "")
	}
	n.kind, n.text = boolean, strconv.FormatBool(value)
	return nil
}

func collectionTag(y *yaml.Node) error {
	if tag := y.ShortTag(); tag != "!!map" && tag != "!!seq" {
		return refuse(y, "the tag "+excerptOf(y.Tag), "a manifest has no tags")
	}
	return nil
}

func yamlPosition(y *yaml.Node) position {
	return position{int32(y.Line), int32(y.Column)} //nolint:gosec // a file of 2 GB is not read
}

func refuse(y *yaml.Node, message, hint string) error {
	return &syntaxFault{yamlPosition(y), message, hint}
}

// yamlFault places an error of the YAML library, which tells the line only in
// its text.
func yamlFault(err error) error {
	if errors.Is(err, io.EOF) {
		return &syntaxFault{message: "the file is empty", hint: emptyHint}
	}
	m := regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`).FindStringSubmatch(err.Error())
	if m == nil {
		return &syntaxFault{message: err.Error()}
	}
	line, _ := strconv.ParseInt(m[1], 10, 32) // 0 when the error tells none
	return &syntaxFault{at: position{int32(line), 1}, message: m[2]}
}
