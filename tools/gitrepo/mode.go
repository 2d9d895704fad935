package gitrepo

import "fmt"

// Mode is the mode of a tree entry as git stores it, e.g. 0o100644. Old
// repositories also hold modes such as 0o100664; they are kept as they are.
type Mode uint32

// The modes that git writes today.
const (
	ModeFile       Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeSymlink    Mode = 0o120000
	ModeSubmodule  Mode = 0o160000
	ModeTree       Mode = 0o040000
)

const modeType Mode = 0o170000

// IsTree says whether the entry is a folder.
func (m Mode) IsTree() bool { return m&modeType == ModeTree }

// IsSymlink says whether the entry is a symbolic link: its blob is the target.
func (m Mode) IsSymlink() bool { return m&modeType == ModeSymlink }

// IsSubmodule says whether the entry is a submodule: its id is a commit of
// another repository.
func (m Mode) IsSubmodule() bool { return m&modeType == ModeSubmodule }

// IsRegular says whether the entry is a file.
func (m Mode) IsRegular() bool { return m&modeType == 0o100000 }

// IsExecutable says whether the entry is a file that its owner may run, which
// is all that git checks out of a file's permissions.
func (m Mode) IsExecutable() bool { return m.IsRegular() && m&0o100 != 0 }

// String returns the mode as git prints it, e.g. "040000".
func (m Mode) String() string { return fmt.Sprintf("%06o", uint32(m)) }
