package backup

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what S3 checks parts by; archives are summed by SHA-256
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// uploadsAtOnce is how many parts are under way at a time, each of which is held in memory.
	uploadsAtOnce = 2
	// uploadTries is how often a part is sent, firstPause the pause after the first failure; it doubles each time.
	uploadTries, firstPause = 7, 250 * time.Millisecond
	// minPart and maxPart bound the size of parts, in bytes.
	minPart, maxPart = 1 << 20, 1 << 30
	// partTime is what a part gets to arrive, beside a second for each slowest bytes.
	partTime, slowest = 2 * time.Minute, 64 << 10
)

var (
	errStorage = fault.New(fault.Conflict, "The backup storage does not work: an administrator should look at its settings, and at the storage itself.")
	errGone    = fault.New(fault.NotFound, "The backup storage does not have the archive any more.")
	errParts   = fault.New(fault.Conflict, "The panel has granted parts of an impossible size.")
)

// storageClient reaches storages. What it waits for is bounded by contexts.
var storageClient = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: partTime, MaxIdleConnsPerHost: uploadsAtOnce, IdleConnTimeout: time.Minute,
	DisableCompression: true, ForceAttemptHTTP2: true, TLSHandshakeTimeout: answerTime,
}}

// hideQuery removes the address from an error: it has a signature.
func hideQuery(err error) error {
	if told, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("reach the backup storage: %w", told.Err)
	}
	return err
}

// grants are the addresses of parts that the panel has given out.
type grants struct {
	mu   sync.Mutex
	urls map[int32]string
	size int64
	want int32 // the first part that somebody waits for; 0 for none
	news chan struct{}
}

func newGrants() *grants { return &grants{urls: make(map[int32]string), news: make(chan struct{})} }

func (g *grants) wanted() int32 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.want
}

// add takes what the panel grants. The first size counts for all parts.
func (g *grants) add(parts []*protocol.UploadPart) {
	if len(parts) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range parts {
		g.urls[p.GetNumber()] = p.GetUrl()
		if g.size == 0 {
			g.size = p.GetSize()
		}
		if p.GetNumber() == g.want {
			g.want = 0
		}
	}
	close(g.news)
	g.news = make(chan struct{})
}

// drop forgets an address that is not good any more.
func (g *grants) drop(number int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.urls, number)
}

// take waits for the address of a part; told is called when it has to be asked for.
func (g *grants) take(ctx context.Context, number int32, told func()) (string, int64, error) {
	for {
		g.mu.Lock()
		address, ok := g.urls[number]
		size, news := g.size, g.news
		asks := !ok && (g.want == 0 || number < g.want)
		if asks {
			g.want = number
		}
		g.mu.Unlock()
		if ok {
			return address, size, nil
		}
		if asks {
			told()
		}
		select {
		case <-ctx.Done():
			return "", 0, context.Cause(ctx)
		case <-news:
		}
	}
}

// upload is an archive that goes to a storage in parts.
type upload struct {
	job   *job
	group *errgroup.Group
	ctx   context.Context //nolint:containedctx // ends with the first part that fails
	size  int64
	part  []byte
	next  int32
	spare chan []byte

	mu   sync.Mutex
	done []*protocol.UploadedPart
}

func newUpload(j *job) *upload {
	u := &upload{job: j, next: 1, spare: make(chan []byte, uploadsAtOnce+1)}
	u.group, u.ctx = errgroup.WithContext(j.ctx)
	u.group.SetLimit(uploadsAtOnce)
	return u
}

func (u *upload) ask() { u.job.set(func(*protocol.BackupProgress) {}) }

// Write implements io.Writer.
func (u *upload) Write(b []byte) (int, error) {
	if u.size == 0 {
		_, size, err := u.job.grants.take(u.ctx, 1, u.ask)
		if err != nil {
			return 0, err
		}
		if size < minPart || size > maxPart {
			return 0, errParts
		}
		u.size = size
	}
	n := 0
	for len(b) > 0 {
		if u.ctx.Err() != nil {
			return n, context.Cause(u.ctx)
		}
		if u.part == nil {
			u.part = u.buffer()
		}
		room := min(len(b), int(u.size)-len(u.part))
		u.part = append(u.part, b[:room]...)
		b, n = b[room:], n+room
		if len(u.part) == int(u.size) {
			u.send()
		}
	}
	return n, nil
}

func (u *upload) buffer() []byte {
	select {
	case b := <-u.spare:
		return b[:0]
	default:
		return make([]byte, 0, u.size)
	}
}

// send has the part uploaded. It waits while enough are under way.
func (u *upload) send() {
	part, number := u.part, u.next
	u.part, u.next = nil, u.next+1
	u.group.Go(func() error {
		etag, err := u.put(number, part)
		if err != nil {
			return err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.done = append(u.done, &protocol.UploadedPart{Number: number, Etag: etag})
		select {
		case u.spare <- part:
		default:
		}
		return nil
	})
}

// put uploads a part, again and again when the storage fails.
func (u *upload) put(number int32, part []byte) (etag string, err error) {
	pause := firstPause
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for try := 1; ; try++ {
		address, _, grantErr := u.job.grants.take(u.ctx, number, u.ask)
		if grantErr != nil {
			return "", grantErr
		}
		etag, err = putOnce(u.ctx, address, part)
		if err == nil || u.ctx.Err() != nil || try == uploadTries {
			return etag, err
		}
		if errors.Is(err, errExpired) {
			u.job.grants.drop(number)
		}
		timer.Reset(pause/2 + rand.N(pause)) //nolint:gosec // jitter needs no secrecy
		pause *= 2
		select {
		case <-timer.C:
		case <-u.ctx.Done():
			return "", context.Cause(u.ctx)
		}
	}
}

// errExpired is in the chain of the error of an address that the storage does not accept.
var errExpired = errors.New("the storage refused the address")

func putOnce(ctx context.Context, address string, part []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, partTime+time.Duration(len(part)/slowest)*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(part))
	if err != nil {
		return "", errStorage.Wrap(hideQuery(err))
	}
	sum := md5.Sum(part) //nolint:gosec // see above
	request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	answer, err := storageClient.Do(request)
	if err != nil {
		return "", errStorage.Wrap(hideQuery(err))
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	etag := answer.Header.Get("ETag")
	switch {
	case answer.StatusCode == http.StatusForbidden:
		return "", errStorage.Wrap(errExpired)
	case answer.StatusCode != http.StatusOK || etag == "":
		return "", errStorage.Wrap(fmt.Errorf("the storage answered a part with %s", answer.Status))
	case len(strings.Trim(etag, `"`)) == 2*md5.Size && strings.Trim(etag, `"`) != hex.EncodeToString(sum[:]):
		return "", errStorage.Wrap(errors.New("the storage has stored another part than was sent"))
	}
	return etag, nil
}

// finish sends the last part and waits for all. The storage has compared each with its sum.
func (u *upload) finish(_ context.Context, end *protocol.BackupProgress) error {
	if len(u.part) > 0 {
		u.send()
	}
	if err := u.group.Wait(); err != nil {
		return err
	}
	slices.SortFunc(u.done, func(a, b *protocol.UploadedPart) int { return int(a.GetNumber() - b.GetNumber()) })
	end.Uploaded = u.done
	return nil
}

// abort ends what is under way. The panel has the storage forget the parts.
func (u *upload) abort() {
	u.group.Go(func() error { return errCancelled }) // ends the others
	_ = u.group.Wait()
}
