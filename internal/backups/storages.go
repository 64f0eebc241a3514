package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/backup"
	"github.com/catalyst-panel/catalyst/ent/backupstorage"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/text"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// The keys of a storage's settings.
const (
	configEndpoint = "endpoint"
	configBucket   = "bucket"
	configRegion   = "region"
	configPrefix   = "prefix"
	configPath     = "pathStyle"
)

const (
	// maxStorageName and maxSetting are how long names and settings may be, in bytes.
	maxStorageName, maxSetting = 64, 512
	// tryTime is how long a storage may take to answer when it is tried.
	tryTime = 10 * time.Second
)

// S3Input is how an S3-compatible store is reached; nil leaves a part as it is, or empty.
type S3Input struct {
	// Endpoint is its address: https://s3.example.com.
	Endpoint, Bucket, Region, Prefix *string
	AccessKey, SecretKey             *string
	// PathStyle puts the bucket's name into the path, and not into the host's name; it is on unless it is set to false.
	PathStyle *bool
}

// CreateStorageInput describes a new storage.
type CreateStorageInput struct {
	Name      string
	Type      kind.StorageType
	S3        *S3Input
	IsDefault *bool
}

// UpdateStorageInput changes a storage; nil leaves a part as it is.
type UpdateStorageInput struct {
	ID        string
	Name      *string
	S3        *S3Input
	IsDefault *bool
}

// S3 is how an S3-compatible store is reached, without what is secret.
type S3 struct {
	Endpoint, Bucket, Region, Prefix string
	PathStyle                        bool
}

// keys are the credentials of a storage.
type keys struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

func storageDeed(action, id string) audit.Entry {
	return audit.Entry{Action: action, TargetType: ent.TypeBackupStorage, TargetID: id}
}

// mayStorages checks the right to change storages; a refusal is put on record.
func (s *Service) mayStorages(ctx context.Context, e audit.Entry) error {
	target := access.Anywhere
	if e.TargetID != "" {
		target = access.On(e.TargetID)
	}
	if err := access.Check(ctx, s.Client, access.AdminWrite, target); err != nil {
		return s.trail.Refused(ctx, e, err)
	}
	if e.TargetID != "" && !kind.ValidID(kind.PrefixBackupStorage, e.TargetID) {
		return fault.Missing("backup storage")
	}
	return nil
}

// CreateStorage makes a storage, after it was tried. It needs admin.write.
func (s *Service) CreateStorage(ctx context.Context, in CreateStorageInput) (*ent.BackupStorage, error) {
	e := storageDeed("backupstorage.create", "")
	if err := s.mayStorages(ctx, e); err != nil {
		return nil, err
	}
	name, err := text.Name("name", "the storage", in.Name, maxStorageName)
	if err != nil {
		return nil, err
	}
	config, secret, err := settings(in.Type, map[string]string{}, keys{}, in.S3)
	if err != nil {
		return nil, err
	}
	if err := try(ctx, in.Type, config, secret); err != nil {
		return nil, err
	}
	var out *ent.BackupStorage
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		if or(in.IsDefault, false) {
			if err := noDefault(ctx, t); err != nil {
				return err
			}
		}
		row, err := t.BackupStorage.Create().SetName(name).SetType(in.Type).SetConfig(config).SetNillableIsDefault(in.IsDefault).Save(ctx)
		if err != nil {
			return taken(err)
		}
		if in.Type == kind.StorageTypeS3 {
			if row, err = s.seal(t.BackupStorage.UpdateOne(row), row.ID, secret).Save(ctx); err != nil {
				return fmt.Errorf("store the credentials of a storage: %w", err)
			}
		}
		e.TargetID, e.Details = row.ID, map[string]any{"name": name, "type": in.Type}
		out = row.Unwrap()
		return nil
	})
	return out, err
}

// seal encrypts credentials.
func (s *Service) seal(u *ent.BackupStorageUpdateOne, id string, secret keys) *ent.BackupStorageUpdateOne {
	text, _ := json.Marshal(secret) //nolint:gosec // two strings, which are encrypted
	return u.SetCredentials(s.Secrets.Seal(text, id))
}

// noDefault makes no storage the default one.
func noDefault(ctx context.Context, t *ent.Tx) error {
	err := t.BackupStorage.Update().Where(backupstorage.IsDefault(true)).SetIsDefault(false).Exec(ctx)
	if err != nil {
		return fmt.Errorf("change the default storage: %w", err)
	}
	return nil
}

func taken(err error) error {
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "There is a backup storage of this name already.").Wrap(err)
	}
	return fmt.Errorf("store backup storage: %w", err)
}

// UpdateStorage changes a storage, after it was tried with what is new. It needs admin.write.
func (s *Service) UpdateStorage(ctx context.Context, in UpdateStorageInput) (*ent.BackupStorage, error) {
	e := storageDeed("backupstorage.update", in.ID)
	if err := s.mayStorages(ctx, e); err != nil {
		return nil, err
	}
	if in.Name != nil {
		name, err := text.Name("name", "the storage", *in.Name, maxStorageName)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	old, err := s.Client.BackupStorage.Get(viewer.System(ctx, nil, "read a storage that is changed"), in.ID)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("backup storage")
	}
	if err != nil {
		return nil, fmt.Errorf("read backup storage: %w", err)
	}
	secret, err := s.open(old)
	if err != nil && (in.S3 == nil || in.S3.AccessKey == nil || in.S3.SecretKey == nil) {
		return nil, err
	}
	config := old.Config
	if in.S3 != nil {
		if config, secret, err = settings(old.Type, old.Config, secret, in.S3); err != nil {
			return nil, err
		}
		if err := try(ctx, old.Type, config, secret); err != nil {
			return nil, err
		}
	}
	var out *ent.BackupStorage
	err = s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		if or(in.IsDefault, false) {
			if err := noDefault(ctx, t); err != nil {
				return err
			}
		}
		u := t.BackupStorage.UpdateOneID(in.ID).SetNillableName(in.Name).SetConfig(config).SetNillableIsDefault(in.IsDefault)
		if in.S3 != nil {
			u = s.seal(u, in.ID, secret)
		}
		saved, err := u.Save(ctx)
		if ent.IsNotFound(err) {
			return fault.Missing("backup storage")
		}
		if err != nil {
			return taken(err)
		}
		e.Details = map[string]any{"name": saved.Name}
		out = saved.Unwrap()
		return nil
	})
	return out, err
}

// DeleteStorage removes a storage. It needs admin.write, and fails with CONFLICT while backups are kept there.
func (s *Service) DeleteStorage(ctx context.Context, id string) error {
	e := storageDeed("backupstorage.delete", id)
	if err := s.mayStorages(ctx, e); err != nil {
		return err
	}
	return s.trail.Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		sys := viewer.System(ctx, nil, "look whether a storage is used")
		row, err := t.BackupStorage.Get(sys, id)
		if ent.IsNotFound(err) {
			return fault.Missing("backup storage")
		}
		if err != nil {
			return fmt.Errorf("read backup storage: %w", err)
		}
		n, err := t.Backup.Query().Where(backup.StorageID(id)).Count(sys)
		if err != nil {
			return fmt.Errorf("count backups: %w", err)
		}
		if n > 0 {
			return fault.New(fault.Conflict, "%d backups are kept there, or are just being removed: delete them first.", n)
		}
		e.Details = map[string]any{"name": row.Name}
		return t.BackupStorage.DeleteOneID(id).Exec(ctx)
	})
}

// choose returns the storage that a caller wants, or the default one; nil is the node's own disk.
func (s *Service) choose(ctx context.Context, id *string) (*ent.BackupStorage, error) {
	if id == nil {
		row, err := s.Client.BackupStorage.Query().Where(backupstorage.IsDefault(true)).
			Only(viewer.System(ctx, nil, "find the default storage"))
		if ent.IsNotFound(err) {
			return nil, nil //nolint:nilnil // there is none
		}
		if err != nil {
			return nil, fmt.Errorf("find the default storage: %w", err)
		}
		return row, nil
	}
	row, err := s.Client.BackupStorage.Get(ctx, *id)
	if ent.IsNotFound(err) {
		return nil, fault.Missing("backup storage")
	}
	if err != nil {
		return nil, fmt.Errorf("read backup storage: %w", err)
	}
	return row, nil
}

// Settings returns how storages are reached, for those who may see that (admin.read); nil for the others, and for those that
// are no S3-compatible store.
func (s *Service) Settings(ctx context.Context, row *ent.BackupStorage) (*S3, error) {
	if !access.Grants(viewer.FromContext(ctx), access.AdminRead) {
		return nil, nil //nolint:nilnil // it is not for everybody
	}
	full, err := s.Client.BackupStorage.Get(ctx, row.ID)
	if err != nil {
		return nil, fmt.Errorf("read backup storage: %w", err)
	}
	if full.Type != kind.StorageTypeS3 {
		return nil, nil //nolint:nilnil // there are none
	}
	c := full.Config
	return &S3{
		Endpoint: c[configEndpoint], Bucket: c[configBucket], Region: c[configRegion], Prefix: c[configPrefix], PathStyle: c[configPath] != "false",
	}, nil
}

// settings merges what is new into the settings of a storage, and checks them.
func settings(t kind.StorageType, old map[string]string, secret keys, in *S3Input) (map[string]string, keys, error) {
	if t == kind.StorageTypeLocal {
		if in != nil {
			return nil, secret, fault.Input("s3", "A LOCAL storage, the node's own disk, has no settings.")
		}
		return map[string]string{}, secret, nil
	}
	if in == nil {
		return nil, secret, fault.Input("s3", "An S3 storage needs its endpoint, bucket and keys.")
	}
	config := map[string]string{}
	for key, v := range map[string]*string{
		configEndpoint: in.Endpoint, configBucket: in.Bucket, configRegion: in.Region, configPrefix: in.Prefix,
	} {
		if err := text.Line("s3."+key, v, maxSetting); err != nil {
			return nil, secret, err
		}
		config[key] = strings.TrimSpace(or(v, old[key]))
	}
	config[configPath] = old[configPath]
	if in.PathStyle != nil {
		config[configPath] = strconv.FormatBool(*in.PathStyle)
	}
	for key, v := range map[string]*string{"accessKey": in.AccessKey, "secretKey": in.SecretKey} {
		if err := text.Line("s3."+key, v, maxSetting); err != nil {
			return nil, secret, err
		}
	}
	secret.AccessKey, secret.SecretKey = or(in.AccessKey, secret.AccessKey), or(in.SecretKey, secret.SecretKey)
	at, err := url.Parse(config[configEndpoint])
	switch {
	case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || strings.Trim(at.Path, "/") != "" || at.User != nil || at.RawQuery != "":
		return nil, secret, fault.Input("s3.endpoint", "An endpoint looks like https://s3.example.com, without a path.")
	case config[configBucket] == "":
		return nil, secret, fault.Input("s3.bucket", "Name the bucket.")
	case secret.AccessKey == "" || secret.SecretKey == "":
		return nil, secret, fault.Input("s3.accessKey", "An S3 storage needs an access key and its secret.")
	}
	return config, secret, nil
}

// open decrypts the credentials of a storage.
func (s *Service) open(row *ent.BackupStorage) (keys, error) {
	var k keys
	if row.Credentials == nil || len(*row.Credentials) == 0 {
		return k, nil
	}
	plain, err := s.Secrets.Open(*row.Credentials, row.ID)
	if err == nil {
		err = json.Unmarshal(plain, &k)
	}
	if err != nil {
		return k, fault.New(fault.Conflict, "The credentials of the backup storage cannot be read any more: give them anew.").Wrap(err)
	}
	return k, nil
}

// try looks whether a storage can be reached.
func try(ctx context.Context, t kind.StorageType, config map[string]string, secret keys) error {
	if t != kind.StorageTypeS3 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	b, err := connectTo(config, secret)
	if err != nil {
		return err
	}
	there, err := b.client.BucketExists(ctx, b.name)
	if err != nil {
		return fault.Input("s3", "The storage does not answer as it should (%s): check its endpoint and keys.", storageReason(err)).Wrap(err)
	}
	if !there {
		return fault.Input("s3.bucket", "The storage has no bucket of this name.")
	}
	return nil
}
