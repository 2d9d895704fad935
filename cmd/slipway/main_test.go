package main

import "testing"

func TestLooks(t *testing.T) {
	for name, tt := range map[string]struct {
		isTerminal      bool
		env             map[string]string
		terminal, color bool
	}{
		"terminal":                     {true, map[string]string{"TERM": "xterm"}, true, true},
		"file":                         {false, map[string]string{"TERM": "xterm"}, false, false},
		"no colours wanted":            {true, map[string]string{"NO_COLOR": "1"}, true, false},
		"an empty NO_COLOR is no wish": {true, map[string]string{"NO_COLOR": ""}, true, true},
		"dumb":                         {true, map[string]string{"TERM": "dumb"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			terminal, color := looks(tt.isTerminal, func(name string) string { return tt.env[name] })
			if terminal != tt.terminal || color != tt.color {
				t.Errorf("looks() = %t, %t, want %t, %t", terminal, color, tt.terminal, tt.color)
			}
		})
	}
}
