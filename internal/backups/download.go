package backups

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// fileName is what an archive is called for people.
func fileName(b *ent.Backup) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, b.Name)
	return name + ending(b.Compression)
}

// CreateDownload returns an address at which the archive can be had without signing in, for an hour and for as long as
// whoever asked for it may see the backup. It needs backup.read.
func (s *Service) CreateDownload(ctx context.Context, id string) (*files.Address, error) {
	row, e, err := s.find(ctx, "backup.download", access.BackupRead, id)
	if err != nil {
		return nil, err
	}
	if row.State != kind.BackupStateCompleted {
		return nil, fault.New(fault.Conflict, "Only a backup that is complete can be downloaded.")
	}
	address, err := s.Addresses.SignBackup(ctx, row.ServerID, row.ID, fileName(row))
	if err != nil {
		return nil, err
	}
	return address, s.trail.Do(ctx, e, func(context.Context, *ent.Tx, *audit.Entry) error { return nil })
}

// passed are the headers of a client's request that whoever has the archive answers.
var passed = []string{"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// Download opens the archive that a signed address leads to, with the range that a client's headers ask for. It fails with
// UNAUTHENTICATED for an address that is not good any more.
func (s *Service) Download(ctx context.Context, signed, method string, header http.Header) (*files.Download, error) {
	id, ctx, err := s.Addresses.RedeemBackup(ctx, signed)
	if err != nil {
		return nil, err
	}
	ctx, closeGate, err := s.Gate.Open(ctx, access.BackupRead, access.On(id))
	if err != nil {
		return nil, err
	}
	d := &files.Download{Context: ctx, Close: closeGate}
	if err := s.fetch(ctx, d, id, method, header); err != nil {
		closeGate()
		return nil, err
	}
	return d, nil
}

// fetch asks whoever has the archive.
func (s *Service) fetch(ctx context.Context, d *files.Download, id, method string, header http.Header) error {
	b, err := s.Client.Backup.Query().Where(backup.ID(id), backup.DeletedAtIsNil()).WithServer().WithStorage().
		Only(viewer.System(ctx, nil, "read a backup that is downloaded"))
	if ent.IsNotFound(err) || err == nil && b.State != kind.BackupStateCompleted {
		return fault.Missing("backup")
	}
	if err != nil {
		return fmt.Errorf("read backup: %w", err)
	}
	d.Name = fileName(b)
	remote := b.Edges.Storage != nil && b.Edges.Storage.Type == kind.StorageTypeS3
	at := localAddress(b)
	if remote {
		if at, err = s.archiveAddress(ctx, b.Edges.Storage, b, time.Hour); err != nil {
			return err
		}
		method = http.MethodGet // what is signed; the body of a HEAD is not read
	}
	request, err := http.NewRequestWithContext(ctx, method, at, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for an archive: %w", err)
	}
	for _, name := range passed {
		if v := header.Values(name); len(v) > 0 {
			request.Header[name] = v
		}
	}
	if !remote {
		d.Answer, err = s.Link.Send(b.Edges.Server.NodeID, request) //nolint:bodyclose // the caller of Download closes it
		return err
	}
	d.Answer, err = storageClient.Do(request) //nolint:bodyclose // as above
	if err != nil {
		return fault.New(fault.NodeOffline, "The backup storage cannot be reached: try again later.").Wrap(err)
	}
	switch d.Answer.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return nil
	}
	status := d.Answer.Status
	_ = d.Answer.Body.Close()
	return fault.New(fault.NodeOffline, "The backup storage does not give the archive out: an administrator should look at it.").
		Wrap(fmt.Errorf("the storage answered %s", status))
}

// storageClient reaches storages. Contexts bound what it waits for.
var storageClient = &http.Client{Transport: &http.Transport{
	Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: storageTime, DisableCompression: true, IdleConnTimeout: time.Minute,
}}

// localAddress is where a node has an archive.
func localAddress(b *ent.Backup) string {
	q := url.Values{"server": {b.ServerID}, "backup": {b.ID}}
	if b.Compression == kind.BackupCompressionGzip {
		q.Set("gzip", "1")
	}
	return protocol.BackupPath + "?" + q.Encode()
}
