package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// uploadsDir is where a server's uploads lie until they are complete: NAME has the bytes, NAME.json what they are for.
const uploadsDir = ".uploads"

// Upload is how far an upload is.
type Upload struct {
	// Path is where the file is to be.
	Path string `json:"path"`
	Size int64  `json:"size"`
	// Complete says that the file is at its place.
	Complete bool `json:"complete"`
	// Offset is how much there is.
	Offset int64 `json:"-"`
}

var errNoUpload = fault.New(fault.NotFound, "There is no such upload: it was cancelled, or has rested for too long.")

// uploadName checks the name of an upload, which becomes that of files.
func uploadName(id string) (string, error) {
	if len(id) < 8 || len(id) > 64 {
		return "", errNoUpload
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", errNoUpload
		}
	}
	return path.Join(uploadsDir, id), nil
}

// CreateUpload begins an upload. It survives the agent.
func (t *Tree) CreateUpload(id, name string, size int64) (Upload, error) {
	at, err := uploadName(id)
	if err != nil {
		return Upload{}, err
	}
	if name, err = Clean(name); err != nil {
		return Upload{}, err
	}
	switch {
	case name == rootPath:
		return Upload{}, errRoot
	case size < 0:
		return Upload{}, fault.Input("size", "A file has no negative size.")
	}
	if e, err := t.Stat(name, true); err == nil && e.Kind != Regular {
		return Upload{}, errExists
	}
	if err := t.shared.ledger.fits(size); err != nil {
		return Upload{}, err
	}
	if err := t.shared.ledger.reserve(0, 2); err != nil {
		return Upload{}, err
	}
	if err := t.server.Mkdir(uploadsDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Upload{}, explain(err)
	}
	f, err := t.server.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Upload{}, explain(err)
	}
	u := Upload{Path: name, Size: size}
	if err := errors.Join(f.Close(), t.noteUpload(at, u)); err != nil {
		return Upload{}, explain(err)
	}
	if size == 0 {
		return t.completeUpload(at, u)
	}
	return u, nil
}

// noteUpload writes down what an upload is for.
func (t *Tree) noteUpload(at string, u Upload) error {
	note, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode an upload: %w", err)
	}
	return t.server.WriteFile(at+".json", note, 0o600)
}

// StatUpload tells how far an upload is.
func (t *Tree) StatUpload(id string) (Upload, error) {
	at, err := uploadName(id)
	if err != nil {
		return Upload{}, err
	}
	return t.statUpload(at)
}

func (t *Tree) statUpload(at string) (Upload, error) {
	note, err := t.server.ReadFile(at + ".json")
	var u Upload
	if err == nil {
		err = json.Unmarshal(note, &u)
	}
	if err != nil {
		return u, errNoUpload.Wrap(err)
	}
	if u.Complete {
		u.Offset = u.Size
		return u, nil
	}
	info, err := t.server.Lstat(at)
	if err != nil {
		return u, errNoUpload.Wrap(err)
	}
	u.Offset = info.Size()
	return u, nil
}

// Append takes the next bytes of an upload in. What has come is kept also when the rest does not; with check, it is kept only
// when all has come and check says yes. The file is at its place when nothing is missing any more.
func (t *Tree) Append(id string, offset int64, from io.Reader, check func() error) (Upload, error) {
	at, err := uploadName(id)
	if err != nil {
		return Upload{}, err
	}
	if !t.shared.claim(at) {
		return Upload{}, fault.New(fault.Conflict, "Somebody is writing to this upload at the moment: try again.")
	}
	defer t.shared.release(at)
	u, err := t.statUpload(at)
	if err != nil {
		return u, err
	}
	if offset != u.Offset || u.Complete {
		return u, fault.New(fault.Conflict, "The next bytes of this upload begin at %d.", u.Offset)
	}
	f, err := t.server.OpenFile(at, os.O_WRONLY, 0)
	if err != nil {
		return u, explain(err)
	}
	n, err := copyInto(t.newFile(f), offset, io.LimitReader(from, u.Size-offset))
	u.Offset += n
	if check != nil {
		if err == nil {
			err = check()
		}
		if err != nil {
			u.Offset = offset
			err = errors.Join(err, f.Truncate(offset))
		}
	}
	if u.Offset == u.Size {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return u, explain(err)
	}
	if u.Offset == u.Size {
		return t.completeUpload(at, u)
	}
	return u, nil
}

// copyInto writes from a place on.
func copyInto(f *File, at int64, from io.Reader) (int64, error) {
	return io.CopyBuffer(io.NewOffsetWriter(f, at), from, make([]byte, 256<<10))
}

// completeUpload puts the file at its place.
func (t *Tree) completeUpload(at string, u Upload) (Upload, error) {
	t.shared.commit.Lock()
	defer t.shared.commit.Unlock()
	if err := t.makeParents(u.Path); err != nil {
		return u, err
	}
	dir, base, err := t.target(u.Path)
	if err != nil {
		return u, explain(err)
	}
	defer dir.Close()
	if err := (As{}).allow(dir, base); err != nil {
		return u, err
	}
	mode := fs.FileMode(0o644)
	if old, err := describe(dir, base, base); err == nil {
		mode = old.Mode
	}
	f, err := t.server.OpenFile(at, os.O_WRONLY, 0)
	if err != nil {
		return u, explain(err)
	}
	if err := errors.Join(t.own(f, mode), f.Close()); err != nil {
		return u, explain(err)
	}
	uploads, err := t.server.Open(uploadsDir)
	if err != nil {
		return u, explain(err)
	}
	defer uploads.Close()
	if err := rename(uploads, path.Base(at), dir, base, true); err != nil {
		return u, explain(err)
	}
	// A client that did not hear of it asks again.
	u.Complete, u.Offset = true, u.Size
	return u, explain(t.noteUpload(at, u))
}

// RemoveUpload forgets an upload, if there is one.
func (t *Tree) RemoveUpload(id string) error {
	at, err := uploadName(id)
	if err != nil {
		return err
	}
	defer t.shared.ledger.freed()
	return explain(errors.Join(gone(t.server.Remove(at+".json")), gone(t.server.Remove(at))))
}

// ForgetUploads forgets those that nothing was written to since a moment.
func (t *Tree) ForgetUploads(since time.Time) error {
	entries, err := fs.ReadDir(t.server.FS(), uploadsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		id := e.Name()
		if path.Ext(id) == ".json" {
			id = id[:len(id)-len(".json")]
		}
		at := path.Join(uploadsDir, id)
		fresh := false
		for _, name := range []string{at, at + ".json"} {
			info, err := t.server.Lstat(name)
			fresh = fresh || err == nil && info.ModTime().After(since)
		}
		if !fresh {
			err = errors.Join(err, gone(t.server.Remove(at+".json")), gone(t.server.Remove(at)))
		}
	}
	return explain(err)
}
