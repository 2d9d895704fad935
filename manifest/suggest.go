package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// suggest makes a hint from the words that are allowed: the one that was
// probably meant, or else all of them when they are few.
func suggest(word string, allowed []string) string {
	if best := nearest(word, allowed); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(allowed) == 0 || len(allowed) > 20 {
		return ""
	}
	return "allowed here: " + strings.Join(allowed, ", ")
}

// nearest gives the word that differs least, or "" when all differ too much.
func nearest(word string, allowed []string) string {
	const maxLen = 64 // what is longer is no slip of the fingers
	if len(word) > maxLen {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range slices.Sorted(slices.Values(allowed)) {
		if abs(len(candidate)-len(word)) >= least {
			continue
		}
		if strings.EqualFold(word, candidate) {
			return candidate
		}
		if d := distance(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the bytes to insert, remove or change, or neighbours to swap, to
// make one word of the other.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}

func abs(i int) int { return max(i, -i) }
