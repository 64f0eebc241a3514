package containerd

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	goruntime "runtime"
	"slices"

	"github.com/containerd/containerd/v2/client"
	digests "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// ownRepository is the name of the image, which no registry has; ownPath is where the executable is in it, for
	// servers that call it "catalyst".
	ownRepository = "catalyst.invalid/catalyst"
	ownPath       = "usr/local/bin/catalyst"
)

// ownImage returns an image of one layer that holds this executable, for servers without an image: the Demo game runs
// where there is no registry.
func (r *Runtime) ownImage(ctx context.Context) (client.Image, error) {
	unlock, err := r.locks.lock(ctx, "image "+ownRepository)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.own == nil {
		if r.own, err = describe(r.config.Executable); err != nil {
			return nil, err
		}
	}
	if img, err := r.present(ctx, r.own.name()); img != nil || err != nil {
		return img, err
	}
	ctx, release, err := r.lease(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return r.importOwn(ctx, r.own)
}

func (r *Runtime) importOwn(ctx context.Context, own *archive) (client.Image, error) {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(own.write(writer)) }()
	imported, err := r.client.Import(ctx, reader, client.WithImageLabels(map[string]string{labelOwner: r.owner}))
	// The writer, which may be in the middle of it, ends with this.
	err = errors.Join(err, reader.Close())
	if err != nil || len(imported) == 0 {
		return nil, fmt.Errorf("import own image: %w", err)
	}
	img := client.NewImage(r.client, imported[0])
	if err := img.Unpack(ctx, ""); err != nil {
		return nil, fmt.Errorf("unpack own image: %w", err)
	}
	return img, nil
}

// archive is an image in the OCI layout, of which only the executable is not in memory.
type archive struct {
	executable string
	size       int64
	layer      ocispec.Descriptor
	blobs      map[digests.Digest][]byte
	index      []byte
	tag        string
}

func (a *archive) name() string { return ownRepository + ":" + a.tag }

// describe reads the executable once to know its digest.
func describe(executable string) (*archive, error) {
	if err := static(executable); err != nil {
		return nil, err
	}
	info, err := os.Stat(executable)
	if err != nil {
		return nil, fmt.Errorf("look at own executable: %w", err)
	}
	a := &archive{executable: executable, size: info.Size(), blobs: map[digests.Digest][]byte{}}
	count := &counter{hash: sha256.New()}
	if err := a.writeLayer(count); err != nil {
		return nil, err
	}
	sum := count.hash.Sum(nil)
	a.tag = hex.EncodeToString(sum)[:16]
	a.layer = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digests.NewDigestFromBytes(digests.SHA256, sum), Size: count.size}
	config, err := a.add(ocispec.MediaTypeImageConfig, ocispec.Image{
		Platform: ocispec.Platform{Architecture: goruntime.GOARCH, OS: "linux"},
		Config:   ocispec.ImageConfig{Entrypoint: []string{"/" + ownPath}},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digests.Digest{a.layer.Digest}},
	})
	if err != nil {
		return nil, err
	}
	version := specs.Versioned{SchemaVersion: 2}
	manifest, err := a.add(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: version, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{a.layer},
	})
	if err != nil {
		return nil, err
	}
	manifest.Annotations = map[string]string{"io.containerd.image.name": a.name(), ocispec.AnnotationRefName: a.tag}
	a.index, err = json.Marshal(ocispec.Index{
		Versioned: version, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{manifest},
	})
	if err != nil {
		return nil, fmt.Errorf("encode own image: %w", err)
	}
	return a, nil
}

// static refuses an executable that needs libraries, which the image has none of.
func static(executable string) error {
	f, err := elf.Open(executable)
	if err != nil {
		return fmt.Errorf("look at own executable: %w", err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return errors.New("This build of Catalyst needs the libraries of its machine, so that its Demo game cannot run in a container: use a release, or build it with CGO_ENABLED=0.")
	}
	return nil
}

func (a *archive) add(mediaType string, v any) (ocispec.Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("encode own image: %w", err)
	}
	desc := ocispec.Descriptor{MediaType: mediaType, Digest: digests.FromBytes(b), Size: int64(len(b))}
	a.blobs[desc.Digest] = b
	return desc, nil
}

// writeLayer writes the one layer. The same executable yields the same bytes.
func (a *archive) writeLayer(w io.Writer) error {
	f, err := os.Open(a.executable)
	if err != nil {
		return fmt.Errorf("read own executable: %w", err)
	}
	defer f.Close()
	t := tar.NewWriter(w)
	for _, dir := range []string{"etc/", "home/", "home/container/", "tmp/", "usr/", "usr/local/", "usr/local/bin/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return fmt.Errorf("write own image: %w", err)
		}
	}
	err = t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: ownPath, Mode: 0o755, Size: a.size})
	if err == nil {
		_, err = io.CopyN(t, f, a.size)
	}
	if err := errors.Join(err, t.Close()); err != nil {
		return fmt.Errorf("write own image: %w", err)
	}
	return nil
}

// write writes the whole archive.
func (a *archive) write(w io.Writer) error {
	t := tar.NewWriter(w)
	file := func(name string, size int64, content func(io.Writer) error) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}); err != nil {
			return fmt.Errorf("write own image: %w", err)
		}
		return content(t)
	}
	bytes := func(name string, b []byte) error {
		return file(name, int64(len(b)), func(w io.Writer) error {
			_, err := w.Write(b)
			return err //nolint:wrapcheck // a pipe's, which its reader knows
		})
	}
	blob := func(d digests.Digest) string { return path.Join("blobs", d.Algorithm().String(), d.Encoded()) }
	if err := bytes(ocispec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"`+ocispec.ImageLayoutVersion+`"}`)); err != nil {
		return err
	}
	if err := file(blob(a.layer.Digest), a.layer.Size, a.writeLayer); err != nil {
		return err
	}
	for digest, b := range a.blobs {
		if err := bytes(blob(digest), b); err != nil {
			return err
		}
	}
	if err := bytes(ocispec.ImageIndexFile, a.index); err != nil {
		return err
	}
	return t.Close() //nolint:wrapcheck // a pipe's, which its reader knows
}

// counter hashes and measures what is written to it.
type counter struct {
	hash hash.Hash
	size int64
}

// Write takes the next bytes.
func (c *counter) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	return c.hash.Write(p) //nolint:wrapcheck // it never fails
}
