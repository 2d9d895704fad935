package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// frames reads the standard output of a process out of the stream in which an
// Engine interleaves it with the standard error: each piece has a header of
// eight bytes, the first naming its origin and the last four its length.
type frames struct {
	reader io.Reader
	left   int64 // of the current piece of standard output
	stderr bytes.Buffer
}

const (
	frameStdout    = 1
	frameStderr    = 2
	frameHeader    = 8
	maxFrameStderr = 16 << 10 // kept; the rest is passed over
)

// Read ends with what the process complained about, where it did, and with
// io.EOF where it did not.
func (f *frames) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, f.end(err)
		}
	}
	n, err := f.reader.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if errors.Is(err, io.EOF) && f.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads a header, and all of a piece that is not standard output.
func (f *frames) next() error {
	var header [frameHeader]byte
	if _, err := io.ReadFull(f.reader, header[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(header[4:]))
	switch header[0] {
	case frameStdout:
		f.left = size
		return nil
	case frameStderr:
		return f.keep(size)
	}
	return fmt.Errorf("reading the Engine's stream: unknown origin %d", header[0])
}

func (f *frames) keep(size int64) error {
	room := max(0, min(size, int64(maxFrameStderr-f.stderr.Len())))
	if _, err := io.CopyN(&f.stderr, f.reader, room); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, f.reader, size-room)
	return err
}

func (f *frames) end(err error) error {
	said := strings.TrimSpace(f.stderr.String())
	if errors.Is(err, io.EOF) && said != "" {
		return errors.New(said)
	}
	return err
}
