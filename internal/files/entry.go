package files

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// Entry describes one name in a server's directory.
type Entry struct {
	// Name is the last part of the path; "/" for the root.
	Name string
	// Path is from the server's root and begins with a slash.
	Path string
	Type kind.FileType
	// Size is the length of a file in bytes, 0 for everything else.
	Size int64
	// Mode has the permission bits as four octal digits.
	Mode       string
	ModifiedAt time.Time
	// MimeType is nil for what is no file.
	MimeType *string
	// SymlinkTarget is nil for what is no symbolic link.
	SymlinkTarget *string
}

var types = map[protocol.FileKind]kind.FileType{
	protocol.FileKind_FILE_KIND_REGULAR: kind.FileTypeFile, protocol.FileKind_FILE_KIND_DIRECTORY: kind.FileTypeDirectory,
	protocol.FileKind_FILE_KIND_SYMLINK: kind.FileTypeSymlink, protocol.FileKind_FILE_KIND_OTHER: kind.FileTypeOther,
}

// entry is an entry as a node describes it. What a node says is foreign: whatever it is, it becomes something that can be
// shown.
func entry(e *protocol.FileEntry) Entry {
	out := Entry{
		Path: "/" + clean(shown(e.GetPath())), Type: types[e.GetKind()], Size: max(0, e.GetSize()), Mode: fmt.Sprintf("%04o", e.GetMode()&0o777),
		ModifiedAt: time.UnixMicro(e.GetModifiedAtUs()).UTC(),
	}
	out.Name = path.Base(out.Path)
	switch out.Type {
	case kind.FileTypeFile:
		mime := e.GetMimeType()
		out.MimeType = &mime
	case kind.FileTypeSymlink:
		target := shown(e.GetSymlinkTarget())
		out.SymlinkTarget = &target
	case kind.FileTypeDirectory, kind.FileTypeOther:
	default:
		out.Type = kind.FileTypeOther
	}
	if y := out.ModifiedAt.Year(); y < 0 || y > 9999 { // a game may have set any time; RFC 3339 has no others
		out.ModifiedAt = time.Unix(0, 0).UTC()
	}
	return out
}

func entriesOf(list []*protocol.FileEntry) []Entry {
	out := make([]Entry, len(list))
	for i, e := range list {
		out[i] = entry(e)
	}
	return out
}

// clean is a path without slashes at its ends and doubled ones; what is wrong with it otherwise is the node's to say.
func clean(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }
