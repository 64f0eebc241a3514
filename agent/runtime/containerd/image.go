package containerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/runtime"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// imageFresh is how long an image that is here is used without asking its registry for a newer one.
	imageFresh = 24 * time.Hour
	// pullTime bounds one pull, progressEvery is how often its progress is told.
	pullTime      = time.Hour
	progressEvery = 500 * time.Millisecond
)

// Prepare makes the server's image be here. An image that is here is asked after once a day; when its registry does not
// answer then, what is here is used.
func (r *Runtime) Prepare(ctx context.Context, server *protocol.ServerSpec, progress runtime.Progress) error {
	if server.GetImage() == "" {
		_, err := r.ownImage(ctx)
		return err
	}
	_, err := r.fetch(ctx, server.GetImage(), progress)
	return err
}

// image returns the image that a server runs in; it is fetched when it is not here.
func (r *Runtime) image(ctx context.Context, server *protocol.ServerSpec) (client.Image, error) {
	if server.GetImage() == "" {
		return r.ownImage(ctx)
	}
	ref, err := reference.ParseDockerRef(server.GetImage())
	if err != nil {
		return nil, badReference(server.GetImage())
	}
	if img, err := r.present(ctx, ref.String()); img != nil || err != nil {
		return img, err
	}
	return r.fetch(ctx, server.GetImage(), func(float64, string) {})
}

func badReference(name string) error {
	return fault.New(fault.BadUserInput, "%q is no image reference: give it as registry/name:tag.", name)
}

// present returns an image that is here and unpacked, or nil.
func (r *Runtime) present(ctx context.Context, ref string) (client.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	img, err := r.client.GetImage(ctx, ref)
	if errdefs.IsNotFound(err) {
		return nil, nil //nolint:nilnil // it is not here
	}
	if err != nil {
		return nil, fmt.Errorf("look for image: %w", err)
	}
	unpacked, err := img.IsUnpacked(ctx, "")
	if errdefs.IsNotFound(err) || (err == nil && !unpacked) {
		return nil, nil //nolint:nilnil // it is not here as a whole
	}
	if err != nil {
		return nil, fmt.Errorf("look for image: %w", err)
	}
	return img, nil
}

// fetch returns an image, from its registry unless it is here and fresh.
func (r *Runtime) fetch(ctx context.Context, name string, progress runtime.Progress) (client.Image, error) {
	ref, err := reference.ParseDockerRef(name)
	if err != nil {
		return nil, badReference(name)
	}
	unlock, err := r.locks.lock(ctx, "image "+ref.String())
	if err != nil {
		return nil, err
	}
	defer unlock()
	img, err := r.present(ctx, ref.String())
	if err != nil {
		return nil, err
	}
	if img != nil && time.Since(img.Metadata().UpdatedAt) < imageFresh {
		return img, nil
	}
	pulled, err := r.pull(ctx, ref, progress)
	if err != nil && img != nil && ctx.Err() == nil {
		r.log.LogAttrs(ctx, slog.LevelWarn, "the image could not be refreshed, the one that is here is used",
			slog.String("image", ref.String()), slog.Any("error", err))
		return img, nil
	}
	return pulled, err
}

// pull fetches an image from its registry.
func (r *Runtime) pull(ctx context.Context, ref reference.Named, progress runtime.Progress) (client.Image, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	progress(0, "Pulling "+reference.FamiliarString(ref))
	ctx, release, err := r.lease(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var layers layers
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { layers.tell(ctx, r.client.ContentStore(), stop, progress) })
	img, err := r.client.Pull(ctx, ref.String(),
		client.WithPullUnpack,
		client.WithResolver(docker.NewResolver(docker.ResolverOptions{Hosts: r.registries()})),
		client.WithImageHandlerWrapper(layers.note),
	)
	close(stop)
	telling.Wait()
	if err != nil {
		return nil, pullFault(ctx, ref, err)
	}
	digest := img.Target().Digest.String()
	progress(1, "Pulled "+reference.FamiliarString(ref)+" ("+digest+")")
	r.log.LogAttrs(ctx, slog.LevelInfo, "image pulled", slog.String("image", ref.String()), slog.String("digest", digest))
	return img, nil
}

// lease keeps what is being fetched from being collected. It bears the agent's mark, so that one that a kill left behind
// is found.
func (r *Runtime) lease(ctx context.Context) (leased context.Context, release func(), err error) {
	leased, done, err := r.client.WithLease(ctx, leases.WithRandomID(), leases.WithExpiration(2*pullTime),
		leases.WithLabels(map[string]string{labelOwner: r.owner, labelSession: r.session}))
	if err != nil {
		return ctx, nil, fmt.Errorf("lease images: %w", err)
	}
	return leased, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
		defer cancel()
		if err := done(ctx); err != nil && !errdefs.IsNotFound(err) {
			r.log.LogAttrs(ctx, slog.LevelWarn, "a lease of images stays until the next sweep", slog.Any("error", err))
		}
	}, nil
}

// pullFault says what a person can do about a pull that failed.
func pullFault(ctx context.Context, ref reference.Named, err error) error {
	name := reference.FamiliarString(ref)
	var unauthorized remoteerrors.ErrUnexpectedStatus
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Timeout, "The image %q could not be pulled within %s.", name, pullTime).Wrap(err)
	case ctx.Err() != nil:
		return fmt.Errorf("pull image: %w", context.Cause(ctx))
	case errdefs.IsNotFound(err):
		return fault.New(fault.NotFound, "The image %q does not exist in its registry: check its name and tag.", name).Wrap(err)
	case errors.Is(err, docker.ErrInvalidAuthorization), errors.As(err, &unauthorized) && (unauthorized.StatusCode == http.StatusUnauthorized || unauthorized.StatusCode == http.StatusForbidden):
		return fault.New(fault.Forbidden, "The registry refuses the image %q: it does not exist, or the node needs credentials for it.", name).Wrap(err)
	}
	return fault.New(fault.Conflict, "The image %q could not be pulled: its registry cannot be reached or fails. Try it again.", name).Wrap(err)
}

// layers are what a pull fetches.
type layers struct {
	mu  sync.Mutex
	all []ocispec.Descriptor
}

// note remembers every layer that is dispatched.
func (l *layers) note(next images.Handler) images.Handler {
	return images.HandlerFunc(func(ctx context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		children, err := next.Handle(ctx, desc)
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, child := range children {
			if images.IsLayerType(child.MediaType) {
				l.all = append(l.all, child)
			}
		}
		return children, err
	})
}

// tell reports the progress until stop is closed.
func (l *layers) tell(ctx context.Context, store content.Store, stop <-chan struct{}, progress runtime.Progress) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if total, fetched := l.measure(ctx, store); total > 0 {
			progress(min(0.99, float64(fetched)/float64(total)), "")
		}
	}
}

// measure sums up the layers' sizes, and what of them is here.
func (l *layers) measure(ctx context.Context, store content.Store) (total, fetched int64) {
	l.mu.Lock()
	all := l.all
	l.mu.Unlock()
	for _, desc := range all {
		total += desc.Size
		if status, err := store.Status(ctx, remotes.MakeRefKey(ctx, desc)); err == nil {
			fetched += status.Offset
		} else if _, err := store.Info(ctx, desc.Digest); err == nil {
			fetched += desc.Size
		}
	}
	return total, fetched
}
