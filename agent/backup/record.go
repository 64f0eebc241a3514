package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/catalyst-panel/catalyst/agent/durable"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// recordVersion is raised when the meaning of a field changes.
	recordVersion = 1
	recordEnding  = ".json"
	// partEnding is that of an archive that is not complete.
	partEnding = ".part"
)

// record is what must not be forgotten of a backup.
type record struct {
	Version int             `json:"version"`
	Spec    json.RawMessage `json:"spec"`
	// State is the last that was told, in protobuf's JSON.
	State json.RawMessage `json:"state"`
	// Tries counts how often it was begun.
	Tries int `json:"tries,omitempty"`
	// Told is set while the program was told to prepare for the backup, and not yet that it is over.
	Told bool `json:"told,omitempty"`
}

// note is a record that can be worked with.
type note struct {
	spec  *protocol.BackupSpec
	state *protocol.BackupProgress
	tries int
	told  bool
}

// ending is how the name of a backup's archive ends.
func ending(gzip bool) string {
	if gzip {
		return ".tar.gz"
	}
	return ".tar.zst"
}

func (k *Keeper) dir(serverID string) string { return filepath.Join(k.path, serverID) }

func (k *Keeper) archive(spec *protocol.BackupSpec) string {
	return filepath.Join(k.dir(spec.GetServerId()), spec.GetBackupId()+ending(spec.GetGzip()))
}

func (k *Keeper) recordOf(serverID, backupID string) string {
	return filepath.Join(k.dir(serverID), backupID+recordEnding)
}

// save writes a record to the disk.
func (k *Keeper) save(n *note) error {
	spec, err := protojson.Marshal(n.spec)
	if err != nil {
		return fmt.Errorf("encode a backup: %w", err)
	}
	state, err := protojson.Marshal(n.state)
	if err != nil {
		return fmt.Errorf("encode a backup: %w", err)
	}
	content, err := json.Marshal(record{Version: recordVersion, Spec: spec, State: state, Tries: n.tries, Told: n.told})
	if err != nil {
		return fmt.Errorf("encode a backup: %w", err)
	}
	if err := os.MkdirAll(k.dir(n.spec.GetServerId()), 0o700); err != nil {
		return fmt.Errorf("make the directory of backups: %w", err)
	}
	return durable.WriteFile(k.recordOf(n.spec.GetServerId(), n.spec.GetBackupId()), content)
}

// load reads a record; nil when there is none.
func (k *Keeper) load(serverID, backupID string) (*note, error) {
	content, err := os.ReadFile(k.recordOf(serverID, backupID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read a backup's record: %w", err)
	}
	var r record
	n := &note{spec: &protocol.BackupSpec{}, state: &protocol.BackupProgress{}}
	known := protojson.UnmarshalOptions{DiscardUnknown: true}
	err = json.Unmarshal(content, &r)
	if err == nil && r.Version > recordVersion {
		err = fmt.Errorf("it has version %d, this agent knows up to %d", r.Version, recordVersion)
	}
	if err == nil {
		err = errors.Join(known.Unmarshal(r.Spec, n.spec), known.Unmarshal(r.State, n.state))
	}
	if err == nil && (n.spec.GetServerId() != serverID || n.spec.GetBackupId() != backupID) {
		err = errors.New("it is that of another one")
	}
	if err != nil {
		return nil, fmt.Errorf("read a backup's record: %w", err)
	}
	n.tries, n.told = r.Tries, r.Told
	return n, nil
}

// loadAll reads all records, and removes archives that none tells of.
func (k *Keeper) loadAll() (found []*note, err error) {
	servers, err := os.ReadDir(k.path)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	var errs []error
	for _, s := range servers {
		if !s.IsDir() || !kind.ValidID(kind.PrefixServer, s.Name()) {
			continue
		}
		entries, err := os.ReadDir(k.dir(s.Name()))
		if err != nil {
			errs = append(errs, fmt.Errorf("list backups: %w", err))
			continue
		}
		for _, e := range entries {
			n, err := k.loadEntry(s.Name(), e.Name())
			if errs = append(errs, err); n != nil {
				found = append(found, n)
			}
		}
	}
	return found, errors.Join(errs...)
}

// loadEntry reads the record that a name is, if it is one.
func (k *Keeper) loadEntry(serverID, name string) (*note, error) {
	backupID, _, _ := strings.Cut(name, ".")
	if !kind.ValidID(kind.PrefixBackup, backupID) {
		return nil, nil //nolint:nilnil // it is none of ours
	}
	if name == backupID+recordEnding {
		return k.load(serverID, backupID)
	}
	if strings.HasSuffix(name, partEnding) || strings.HasSuffix(name, durable.Suffix) {
		return nil, os.Remove(filepath.Join(k.dir(serverID), name))
	}
	if _, err := os.Lstat(k.recordOf(serverID, backupID)); errors.Is(err, fs.ErrNotExist) {
		return nil, os.Remove(filepath.Join(k.dir(serverID), name))
	}
	return nil, nil //nolint:nilnil // an archive, whose record is read, too
}

// erase removes everything of a backup, its record at last.
func (k *Keeper) erase(serverID, backupID string) error {
	var errs []error
	base := filepath.Join(k.dir(serverID), backupID)
	for _, end := range []string{ending(true), ending(false), ending(true) + partEnding, ending(false) + partEnding, recordEnding + durable.Suffix, recordEnding} {
		if err := os.Remove(base + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove a backup: %w", err))
			break
		}
	}
	return errors.Join(errs...)
}
