package backups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/backupstorage"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/tx"
)

const (
	// smallPart is how long a part is at the least, in bytes, and maxParts how many parts an archive may have; usualParts is
	// how many it has as far as can be told before, with some room.
	smallPart, maxParts, usualParts = 8 << 20, 10_000, 8_000
	// grantAtOnce is how many addresses of parts are given out at once.
	grantAtOnce = 32
	// partLife is how long the address of a part is good, archiveLife that of an archive which is restored.
	partLife, archiveLife = 6 * time.Hour, 24 * time.Hour
	// storageTime bounds a call to a storage.
	storageTime = time.Minute
	// tidyEvery is how often uploads are looked for that nobody goes on with, orphaned how old they are at the least.
	tidyEvery, orphaned = time.Hour, 15 * time.Minute
	octets              = "application/octet-stream"
)

// bucket is where archives are kept.
type bucket struct {
	client *minio.Client
	core   minio.Core
	name   string
}

// bucket connects to a storage.
func (s *Service) bucket(row *ent.BackupStorage) (*bucket, error) {
	secret, err := s.open(row)
	if err != nil {
		return nil, err
	}
	return connectTo(row.Config, secret)
}

func connectTo(config map[string]string, secret keys) (*bucket, error) {
	at, err := url.Parse(config[configEndpoint])
	if err != nil {
		return nil, fmt.Errorf("read the endpoint of a storage: %w", err)
	}
	region := config[configRegion]
	if region == "" {
		region = "us-east-1" // what signatures take where there are no regions
	}
	lookup := minio.BucketLookupPath
	if config[configPath] == "false" {
		lookup = minio.BucketLookupDNS
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds: credentials.NewStaticV4(secret.AccessKey, secret.SecretKey, ""), Secure: at.Scheme == "https", Region: region,
		BucketLookup: lookup, MaxRetries: 6,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to a storage: %w", err)
	}
	return &bucket{client: client, core: minio.Core{Client: client}, name: config[configBucket]}, nil
}

// storageReason says what a storage has answered, without addresses or keys.
func storageReason(err error) string {
	if told := minio.ToErrorResponse(err); told.Code != "" {
		return "The backup storage answered " + told.Code + "."
	}
	if errors.Is(err, errOther) {
		return errOther.Error()
	}
	return "The backup storage cannot be reached."
}

// is reports whether a storage has answered with a code.
func is(err error, codes ...string) bool {
	return slices.Contains(codes, minio.ToErrorResponse(err).Code)
}

var errOther = errors.New("The backup storage has put together another archive than was sent.")

// grant gives the node addresses of the next parts.
func (w *work) grant(ctx context.Context, node grantor, from int32, total int64) error {
	if from < 1 || from > maxParts {
		return fmt.Errorf("the node asks for part %d", from)
	}
	b, err := w.service.bucket(w.storage)
	if err != nil {
		return err
	}
	if err := w.begin(ctx, b); err != nil {
		return err
	}
	size := int64(smallPart)
	if most := total / usualParts; most > size {
		size = (most>>20 + 1) << 20
	}
	request := &protocol.MakeBackupRequest{}
	for n := from; n < from+grantAtOnce && n <= maxParts; n++ {
		at, err := b.client.Presign(ctx, http.MethodPut, b.name, *w.row.Path, partLife, url.Values{
			"partNumber": {strconv.Itoa(int(n))}, "uploadId": {*w.row.UploadID},
		})
		if err != nil {
			return fmt.Errorf("sign the address of a part: %w", err)
		}
		request.Parts = append(request.Parts, &protocol.UploadPart{Number: n, Url: at.String(), Size: size})
	}
	if err := node.Send(request); err != nil {
		return fmt.Errorf("grant parts: %w", err)
	}
	return nil
}

// begin begins the upload, unless that was done.
func (w *work) begin(ctx context.Context, b *bucket) error {
	if w.row.UploadID != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	id, err := b.core.NewMultipartUpload(ctx, b.name, *w.row.Path, minio.PutObjectOptions{ContentType: octets})
	if err != nil {
		return fmt.Errorf("begin an upload: %w", err)
	}
	err = tx.Do(ctx, w.service.Client, func(ctx context.Context, t *ent.Tx) error {
		n, err := t.Backup.Update().Where(backup.ID(w.row.ID), backup.UploadIDIsNil(), backup.StateIn(unfinished...)).SetUploadID(id).Save(ctx)
		if err == nil && n == 0 {
			return errEnded
		}
		return err
	})
	if err != nil { // the orphan is found later
		return fmt.Errorf("store an upload: %w", err)
	}
	w.row.UploadID = &id
	return nil
}

// assemble has the storage put the archive together, and looks whether it has. It can be repeated.
func (w *work) assemble(ctx context.Context, p *protocol.BackupProgress) error {
	b, err := w.service.bucket(w.storage)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*storageTime) // storages may take a while over many parts
	defer cancel()
	parts := make([]minio.CompletePart, 0, len(p.GetUploaded()))
	for _, u := range p.GetUploaded() {
		parts = append(parts, minio.CompletePart{PartNumber: int(u.GetNumber()), ETag: strings.Trim(u.GetEtag(), `"`)})
	}
	if w.row.UploadID != nil {
		_, err = b.core.CompleteMultipartUpload(ctx, b.name, *w.row.Path, *w.row.UploadID, parts, minio.PutObjectOptions{ContentType: octets})
		if err != nil && !is(err, "NoSuchUpload") { // it was put together before the panel could store that
			return fmt.Errorf("complete an upload: %w", err)
		}
	}
	there, err := b.client.StatObject(ctx, b.name, *w.row.Path, minio.StatObjectOptions{})
	if err != nil {
		return fmt.Errorf("look at an archive: %w", err)
	}
	if there.Size != p.GetSize() {
		return errOther
	}
	return nil
}

// abandon has the storage forget the parts of an archive that is not to be.
func (w *work) abandon(ctx context.Context) error {
	if w.row.UploadID == nil || w.row.Path == nil {
		return nil
	}
	b, err := w.service.bucket(w.storage)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	if err := b.core.AbortMultipartUpload(ctx, b.name, *w.row.Path, *w.row.UploadID); err != nil && !is(err, "NoSuchUpload") {
		return fmt.Errorf("abandon an upload: %w", err)
	}
	return w.removeObject(ctx)
}

// removeObject removes the archive from the storage. What is not there is removed.
func (w *work) removeObject(ctx context.Context) error {
	if w.row.Path == nil {
		return nil
	}
	b, err := w.service.bucket(w.storage)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	if err := b.client.RemoveObject(ctx, b.name, *w.row.Path, minio.RemoveObjectOptions{}); err != nil && !is(err, "NoSuchKey") {
		return fmt.Errorf("remove an archive: %w", err)
	}
	return nil
}

// tidy has storages forget uploads that nobody goes on with.
func (s *Service) tidy(ctx context.Context) error {
	rows, err := s.Client.BackupStorage.Query().Where(backupstorage.TypeEQ(kind.StorageTypeS3)).All(ctx)
	if err != nil {
		return fmt.Errorf("read backup storages: %w", err)
	}
	var errs []error
	for _, row := range rows {
		errs = append(errs, s.tidyOne(ctx, row))
	}
	return errors.Join(errs...)
}

func (s *Service) tidyOne(ctx context.Context, row *ent.BackupStorage) error {
	b, err := s.bucket(row)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*storageTime)
	defer cancel()
	prefix := ""
	if p := strings.Trim(row.Config[configPrefix], "/"); p != "" {
		prefix = p + "/"
	}
	for u := range b.client.ListIncompleteUploads(ctx, b.name, prefix, true) {
		if u.Err != nil {
			return fmt.Errorf("list uploads: %w", u.Err)
		}
		id, ours := backupOf(strings.TrimPrefix(u.Key, prefix))
		if !ours || time.Since(u.Initiated) < orphaned {
			continue
		}
		wanted, err := s.Client.Backup.Query().Where(backup.ID(id), backup.UploadID(u.UploadID), backup.StateIn(unfinished...)).Exist(ctx)
		if err != nil {
			return fmt.Errorf("look for the backup of an upload: %w", err)
		}
		if wanted {
			continue
		}
		if err := b.core.AbortMultipartUpload(ctx, b.name, u.Key, u.UploadID); err != nil && !is(err, "NoSuchUpload") {
			return fmt.Errorf("abandon an upload: %w", err)
		}
		s.Logger.InfoContext(ctx, "an upload that nobody goes on with is abandoned", slog.String("storage_id", row.ID), slog.String("backup_id", id))
	}
	return nil
}

// backupOf is the backup that an archive's name belongs to; false for what is none of ours.
func backupOf(name string) (string, bool) {
	server, file, found := strings.Cut(name, "/")
	id, _, _ := strings.Cut(file, ".")
	return id, found && kind.ValidID(kind.PrefixServer, server) && kind.ValidID(kind.PrefixBackup, id)
}

// archiveAddress is where an archive in a storage can be had for a while.
func (s *Service) archiveAddress(ctx context.Context, row *ent.BackupStorage, b *ent.Backup, life time.Duration) (string, error) {
	at, err := s.bucket(row)
	if err != nil {
		return "", err
	}
	signed, err := at.client.Presign(ctx, http.MethodGet, at.name, or(b.Path, ""), life, nil)
	if err != nil {
		return "", fmt.Errorf("sign the address of an archive: %w", err)
	}
	return signed.String(), nil
}

// Forget removes the archives of a server that goes from storages. Those on its node go with it there.
func (s *Service) Forget(ctx context.Context, serverID string) error {
	rows, err := s.Client.Backup.Query().Where(backup.ServerID(serverID), backup.HasStorageWith(backupstorage.TypeEQ(kind.StorageTypeS3))).WithStorage().All(ctx)
	if err != nil {
		return fmt.Errorf("read the server's backups: %w", err)
	}
	for _, b := range rows {
		w := &work{service: s, row: b, storage: b.Edges.Storage}
		if err := errors.Join(w.abandon(ctx), w.removeObject(ctx)); err != nil {
			return err
		}
	}
	return nil
}
