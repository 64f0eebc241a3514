package fileserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// answerTime bounds the time until an address answers, and stall how long nothing may come after that.
	answerTime, stall = 30 * time.Second, time.Minute
	// maxRedirects is how often an address may lead to another one.
	maxRedirects = 10
)

var (
	errStalled  = fault.New(fault.Conflict, "Nothing has come from the address for a minute: try again later.")
	errNoPublic = fault.New(fault.BadUserInput, "The address leads into a network that is not public: files are pulled from public addresses only.")
)

// pulled is what an address answers.
type pulled struct {
	io.ReadCloser

	ctx    context.Context //nolint:containedctx // that of one download
	cancel context.CancelCauseFunc
	client *http.Client
	size   int64
}

// fetch asks an address for a file and returns it with its length; 0 when that is not known.
func fetch(ctx context.Context, from *url.URL, allowed []string) (*pulled, int64, error) {
	var policy egress.Policy
	for _, text := range allowed {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, 0, fmt.Errorf("read a network: %w", err)
		}
		policy.Allowed = append(policy.Allowed, network)
	}
	client := policy.Client(answerTime)
	client.Timeout = 0 // a large file takes its time
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects {
			return errors.New("too many redirects")
		}
		_, err := egress.CheckURL(r.URL.String())
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pulled{ctx: ctx, cancel: cancel, client: client}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), http.NoBody)
	if err != nil {
		cancel(nil)
		return nil, 0, fault.Input("url", "This is no address to get a file from.").Wrap(err)
	}
	request.Header.Set("User-Agent", "catalyst")
	answer, err := client.Do(request)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fault.New(fault.BadUserInput, "The address answers %d instead of a file.", answer.StatusCode)
		_ = answer.Body.Close()
	}
	if err != nil {
		cancel(nil)
		client.CloseIdleConnections()
		return nil, 0, unreachable(ctx, err)
	}
	p.ReadCloser, p.size = answer.Body, max(0, answer.ContentLength)
	return p, p.size, nil
}

// unreachable makes an error of a download one that tells what to do.
func unreachable(ctx context.Context, err error) error {
	if _, told := errors.AsType[*fault.Error](err); told {
		return err
	}
	switch {
	case errors.Is(err, egress.ErrForbidden):
		return errNoPublic.Wrap(err)
	case errors.Is(context.Cause(ctx), errStalled):
		return errStalled.Wrap(err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fault.New(fault.Conflict, "The file could not be had from the address: look whether it can be reached.").Wrap(err)
}

// copyTo copies everything, as long as something comes.
func (p *pulled) copyTo(out io.Writer, m *meter) error {
	silence := time.AfterFunc(stall, func() { p.cancel(errStalled) })
	defer silence.Stop()
	buffer := make([]byte, 256<<10)
	for {
		n, err := p.Read(buffer)
		silence.Reset(stall)
		if n > 0 {
			if _, err := out.Write(buffer[:n]); err != nil {
				return err
			}
			m.done.Add(int64(n))
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unreachable(p.ctx, err)
		}
	}
}

// Close ends the download.
func (p *pulled) Close() error {
	p.cancel(nil)
	err := p.ReadCloser.Close()
	p.client.CloseIdleConnections()
	return err
}
