package fileserver

import (
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
)

var (
	kinds = map[files.Kind]protocol.FileKind{
		files.Regular: protocol.FileKind_FILE_KIND_REGULAR, files.Directory: protocol.FileKind_FILE_KIND_DIRECTORY,
		files.Symlink: protocol.FileKind_FILE_KIND_SYMLINK, files.Other: protocol.FileKind_FILE_KIND_OTHER,
	}
	orders = map[protocol.FileOrder]files.Order{
		protocol.FileOrder_FILE_ORDER_NAME: files.ByName, protocol.FileOrder_FILE_ORDER_SIZE: files.BySize,
		protocol.FileOrder_FILE_ORDER_MODIFIED_AT: files.ByModified,
	}
)

func entries(list []files.Entry) []*protocol.FileEntry {
	out := make([]*protocol.FileEntry, 0, len(list))
	for _, e := range list {
		out = append(out, entry(e))
	}
	return out
}

// entry is an entry as it goes over the wire.
func entry(e files.Entry) *protocol.FileEntry {
	out := &protocol.FileEntry{
		Path: []byte(e.Path), Kind: kinds[e.Kind], Size: e.Size, Mode: uint32(e.Mode), ModifiedAtUs: e.ModifiedAt.UnixMicro(),
		SymlinkTarget: []byte(e.Target),
	}
	if e.Path == "." {
		out.Path = nil
	}
	if e.Kind == files.Regular {
		out.MimeType = typeByName(e.Path)
	}
	return out
}

// unknownType is the media type of what nothing is known about.
const unknownType = "application/octet-stream"

// texts are the endings of text files that servers have, which the system's tables take for something else or do not know.
var texts = map[string]string{
	".cfg": "text/plain", ".conf": "text/plain", ".config": "text/plain", ".ini": "text/plain", ".log": "text/plain", ".lua": "text/plain",
	".md": "text/markdown", ".properties": "text/plain", ".sh": "text/x-shellscript", ".toml": "application/toml", ".txt": "text/plain",
	".yaml": "application/yaml", ".yml": "application/yaml", ".json": "application/json", ".xml": "application/xml", ".csv": "text/csv",
	".jar": "application/java-archive", ".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip",
	".zst": "application/zstd", ".xz": "application/x-xz", ".bz2": "application/x-bzip2", ".tar": "application/x-tar",
	".png": "image/png", ".jpg": "image/jpeg", ".dat": unknownType, ".db": unknownType,
}

// typeByName is the media type that a name promises. The same on every machine for what servers commonly have.
func typeByName(name string) string {
	end := strings.ToLower(path.Ext(name))
	if known := texts[end]; known != "" {
		return known
	}
	if known, _, err := mime.ParseMediaType(mime.TypeByExtension(end)); err == nil {
		return known
	}
	return unknownType
}

// sniff is the media type that a file's beginning shows.
func sniff(tree *files.Tree, name string) string {
	f, err := tree.Open(name)
	if err != nil {
		return unknownType
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if n == 0 && err != nil {
		return "text/plain" // it is empty: an editor may open it
	}
	found, _, err := mime.ParseMediaType(http.DetectContentType(head[:n]))
	if err != nil {
		return unknownType
	}
	return found
}
