package engine

import (
	"os/exec"
	"syscall"
)

// confine keeps a terminal's interrupt from the daemon, which is ended when its
// engine is closed, and ends it with this process however that ends. As root it
// gets mounts of its own: none outlives it, and removing its folder is safe.
func confine(cmd *exec.Cmd, root bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if root {
		cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	}
}

// endGroup kills what a daemon's process left behind: rootlesskit, when killed,
// leaves the daemon. It must run after that process has ended.
func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
