package files

import (
	"path"
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// maxPath and maxName are the system's limits, in bytes.
	maxPath = 4096
	maxName = 255
	// rootPath is the root itself, as Clean writes it.
	rootPath = "."
)

// Clean checks a path that somebody asks for and returns it as this package uses it: without slashes at its ends, "."
// for the root. It fails with BAD_USER_INPUT.
func Clean(name string) (string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", fault.Input("path", "A path must not contain a NUL character.")
	}
	if len(name) >= maxPath {
		return "", fault.Input("path", "A path may have up to 4095 bytes: this one is longer.")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fault.Input("path", "A path must not contain \"..\": name it from the server's root.")
		}
		if len(part) > maxName {
			return "", fault.Input("path", "A name may have up to 255 bytes: one in the path is longer.")
		}
	}
	if name = path.Clean("/" + name)[1:]; name == "" {
		return rootPath, nil
	}
	return name, nil
}

// within reports whether a clean path is another one or lies below it.
func within(name, dir string) bool {
	return dir == rootPath || name == dir || strings.HasPrefix(name, dir+"/")
}
