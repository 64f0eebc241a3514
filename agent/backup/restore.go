package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/agent/archive"
	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// whole are the limits of archives that have the right checksum: only those of the system. The server's quota holds.
var whole = archive.Limits{Bytes: math.MaxInt64, Entries: math.MaxInt, Depth: 1000, Ratio: math.MaxInt64, Free: math.MaxInt64}

// Restoration is a restoration that is to be done.
type Restoration struct {
	ServerID string
	Spec     *protocol.RestoreSpec
	// Renewed is what Prepared was given by an agent that was killed after it, if that was so.
	Renewed string
	// Prepared is called before the server's files are touched, and must have written down what it is given when it returns.
	Prepared func(identity string) error
	// Progress is told how far it is, from 0 to 1.
	Progress func(fraction float64, message string)
}

// Restore puts what a backup has into the place of a server's files. The server must not run. After an error its files are
// as they were. It can be repeated after the agent was killed, with what Prepared was given.
func (k *Keeper) Restore(ctx context.Context, store *files.Store, r Restoration) error {
	done, err := store.Renewed(r.ServerID, r.Renewed)
	if done || err != nil {
		return err
	}
	from, err := k.source(ctx, r.ServerID, r.Spec)
	if err != nil {
		return err
	}
	defer from.Close()
	if len(r.Spec.GetPaths()) > 0 {
		return k.restoreSome(ctx, store, r, from)
	}
	return restoreAll(ctx, store, r, newChecked(from, r))
}

// restoreAll makes a new root.
func restoreAll(ctx context.Context, store *files.Store, r Restoration, in *checked) (err error) {
	renewal, err := store.Renew(ctx, r.ServerID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, renewal.Close()) }()
	if _, err := in.unpack(ctx, r.Spec, renewal.Tree, nil); err != nil {
		return err
	}
	if !r.Spec.GetTruncate() {
		r.Progress(readPart, "Keeping what the backup does not have")
		if err := renewal.Keep(ctx); err != nil {
			return err
		}
	}
	identity, err := renewal.Identity()
	if err != nil {
		return err
	}
	if err := r.Prepared(identity); err != nil {
		return err
	}
	return renewal.TakePlace(ctx)
}

// restoreSome puts some files to their places.
func (k *Keeper) restoreSome(ctx context.Context, store *files.Store, r Restoration, from io.Reader) (err error) {
	wanted := make([]string, 0, len(r.Spec.GetPaths()))
	for _, p := range r.Spec.GetPaths() {
		name, err := files.Clean(string(p))
		if err != nil {
			return err
		}
		wanted = append(wanted, name)
	}
	tree, err := store.Tree(r.ServerID)
	if err != nil {
		return err
	}
	defer tree.Close()
	staged, err := tree.Stage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, staged.Discard(context.WithoutCancel(ctx))) }()
	found := make(map[string]bool)
	leave := func(name string) bool {
		for _, w := range wanted {
			if name == w || strings.HasPrefix(name, w+"/") {
				found[w] = true
				return false
			}
		}
		return true
	}
	done, err := newChecked(from, r).unpack(ctx, r.Spec, staged.Tree, leave)
	if err != nil {
		return err
	}
	if err := k.fetchAlone(ctx, r, staged.Tree, done.Alone); err != nil {
		return err
	}
	for _, w := range wanted {
		if !found[w] {
			return fault.New(fault.NotFound, "The backup has no file %q. Nothing was changed.", w)
		}
	}
	return staged.MergeInto(ctx, "")
}

// fetchAlone reads the archive once more for files that have further names, of which only these are wanted.
func (k *Keeper) fetchAlone(ctx context.Context, r Restoration, into *files.Tree, alone map[string]string) error {
	if len(alone) == 0 {
		return nil
	}
	from, err := k.source(ctx, r.ServerID, r.Spec)
	if err != nil {
		return err
	}
	defer from.Close()
	firsts := make(map[string]bool, len(alone))
	for _, first := range alone {
		firsts[first] = true
	}
	if _, err := newChecked(from, r).unpack(ctx, r.Spec, into, func(name string) bool { return !firsts[name] }); err != nil {
		return err
	}
	for name, first := range alone {
		if err := into.Link(first, name); err != nil {
			return err
		}
	}
	for first := range firsts {
		if err := into.RemoveFile(first); err != nil {
			return err
		}
	}
	return nil
}

// source opens the archive, wherever it is.
func (k *Keeper) source(ctx context.Context, serverID string, spec *protocol.RestoreSpec) (io.ReadCloser, error) {
	if spec.GetUrl() == "" {
		return k.open(serverID, spec.GetBackupId(), spec.GetGzip())
	}
	return download(ctx, spec.GetUrl())
}

// answerTime bounds the time until a storage answers.
const answerTime = 30 * time.Second

// download asks a storage for an archive.
func download(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, errStorage.Wrap(err)
	}
	answer, err := storageClient.Do(request)
	if err != nil {
		return nil, errStorage.Wrap(hideQuery(err))
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return answer.Body, nil
	case http.StatusNotFound:
		err = errGone
	default:
		err = errStorage.Wrap(fmt.Errorf("the storage answered %s", answer.Status))
	}
	return nil, errors.Join(err, answer.Body.Close())
}

// checked reads an archive and sums it.
type checked struct {
	from io.Reader
	hash hash.Hash
	n    int64
	size int64
	told func(float64, string)
	at   time.Time
}

func newChecked(from io.Reader, r Restoration) *checked {
	return &checked{from: from, hash: newHash(), size: r.Spec.GetSize(), told: r.Progress}
}

// Read implements io.Reader.
func (c *checked) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	_, _ = c.hash.Write(b[:n]) // it never fails
	c.n += int64(n)
	if time.Since(c.at) > tellEvery && c.size > 0 {
		c.at = time.Now()
		c.told(readPart*min(1, float64(c.n)/float64(c.size)), "Unpacking the backup")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = errStorage.Wrap(hideQuery(err))
	}
	return n, err
}

// unpack unpacks the archive and reads it to its end. An archive that is not what was stored is refused, whether or not it
// could be unpacked.
func (c *checked) unpack(ctx context.Context, spec *protocol.RestoreSpec, into *files.Tree, leave func(string) bool) (archive.Unpacked, error) {
	done, failed := archive.Extract(ctx, c, formatOf(spec.GetGzip()), into, archive.Options{
		Limits: whole, Leave: leave, Whole: true, Threads: threads,
	})
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	if failed != nil && fault.CodeOf(failed) != fault.BadUserInput {
		return done, failed
	}
	if _, err := io.Copy(io.Discard, contextual{ctx, c}); err != nil {
		return done, err
	}
	if c.n != spec.GetSize() || hex.EncodeToString(c.hash.Sum(nil)) != spec.GetChecksum() {
		return done, errDamaged.Wrap(failed)
	}
	return done, failed
}

// contextual reads until a context ends.
type contextual struct {
	ctx  context.Context //nolint:containedctx // that of one copy
	from io.Reader
}

// Read implements io.Reader.
func (c contextual) Read(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.from.Read(b)
}
