package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	ignore "github.com/sabhiram/go-gitignore"
	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/archive"
	"github.com/catalyst-panel/catalyst/agent/files"
	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

const (
	// ignoreFile is where a server's files say what backups leave out, and maxIgnore how much of it is read, in bytes.
	ignoreFile, maxIgnore = ".catalystignore", 64 << 10
	// readPart is the part of the progress that the reading of files is.
	readPart = 0.9
	// threads is how many compress.
	threads = 2
	// settle is how long a console is quiet before a program that was told to prepare for a backup is taken to have done so,
	// settleMost how long that is waited for.
	settle, settleMost = time.Second, 15 * time.Second
	// settleLook is how often the console is looked at.
	settleLook = 100 * time.Millisecond
	// sayAgain is how often a line is tried that the program must get, sayMost for how long: it may just be looked for by a
	// new agent.
	sayAgain, sayMost = time.Second, 15 * time.Second
	// consoleTime bounds one line to a console.
	consoleTime = 5 * time.Second
)

var errCancelled = fault.New(fault.Conflict, "The backup was cancelled.")

// job is a backup that is being made, or was.
type job struct {
	keeper *Keeper
	ctx    context.Context //nolint:containedctx // the job's life, which many calls follow
	cancel context.CancelCauseFunc
	done   chan struct{}
	grants *grants

	mu      sync.Mutex
	note    *note
	changed chan struct{}
}

func newJob(k *Keeper, n *note) *job {
	j := &job{keeper: k, note: n, done: make(chan struct{}), changed: make(chan struct{}), grants: newGrants()}
	j.ctx, j.cancel = context.WithCancelCause(k.life)
	return j
}

// ended is a backup that nothing is done for any more.
func ended(n *note) *job {
	j := &job{note: n, done: make(chan struct{}), changed: make(chan struct{}), grants: newGrants()}
	close(j.done)
	return j
}

// state returns how far it is, and what is closed when that changes.
func (j *job) state() (*protocol.BackupProgress, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := proto.CloneOf(j.note.state)
	s.WantsPart = j.grants.wanted()
	return s, j.changed
}

// set changes how far it is.
func (j *job) set(change func(*protocol.BackupProgress)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(j.note.state)
	close(j.changed)
	j.changed = make(chan struct{})
}

// save stores how far it is, with a change of the record.
func (j *job) save(change func(*note)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(j.note)
	return j.keeper.save(j.note)
}

// run makes the backup, and stores how it ended. An agent that ends leaves it to the next one.
func (j *job) run() {
	defer j.cancel(nil)
	made, err := j.make(j.ctx)
	if err != nil && j.keeper.life.Err() != nil && !errors.Is(err, errCancelled) {
		return
	}
	log := j.keeper.config.Logger.With(slog.String("server_id", j.note.spec.GetServerId()), slog.String("backup_id", j.note.spec.GetBackupId()))
	end := &protocol.BackupProgress{Stage: protocol.BackupStage_BACKUP_STAGE_FAILED}
	switch cause := context.Cause(j.ctx); {
	case err == nil:
		end = made
		end.Stage, end.Progress = protocol.BackupStage_BACKUP_STAGE_COMPLETED, 1
	case errors.Is(cause, errCancelled):
		end.Stage = protocol.BackupStage_BACKUP_STAGE_CANCELLED
	default:
		end.Error = reasonOf(err)
		log.LogAttrs(j.ctx, slog.LevelWarn, "backup failed", slog.Any("error", err))
	}
	ctx := context.WithoutCancel(j.ctx)
	switch end.GetStage() {
	case protocol.BackupStage_BACKUP_STAGE_COMPLETED:
		j.say("Backup complete")
	case protocol.BackupStage_BACKUP_STAGE_CANCELLED:
		j.say("Backup cancelled")
	default:
		j.say("Backup failed: " + end.GetError())
	}
	if err := j.save(func(n *note) { n.state, n.told = end, false }); err != nil {
		// It is begun anew by the next agent; this one goes by what it knows.
		log.LogAttrs(ctx, slog.LevelError, "the end of a backup is not stored", slog.Any("error", err))
	}
	j.set(func(*protocol.BackupProgress) {})
}

// reasonOf is what a person should read of an error.
func reasonOf(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Code != fault.Internal {
		return f.Message
	}
	return "The node could not do it: its agent's log says why."
}

func (j *job) make(ctx context.Context) (*protocol.BackupProgress, error) {
	if err := j.save(func(n *note) { n.tries++ }); err != nil {
		return nil, err
	}
	if j.note.told { // by an agent that was killed
		if err := j.after(ctx); err != nil {
			return nil, err
		}
	}
	if j.note.tries > maxTries {
		return nil, fault.New(fault.Conflict, "The node's agent ended %d times while it made the backup: look for the reason in its log.", maxTries)
	}
	done, err := j.keeper.turn(ctx, j.note.spec.GetServerId())
	if err != nil {
		return nil, err
	}
	defer done()
	tree, err := j.keeper.store.Tree(j.note.spec.GetServerId())
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	return j.pack(ctx, tree)
}

// pack writes the archive, and verifies it.
func (j *job) pack(ctx context.Context, tree *files.Tree) (*protocol.BackupProgress, error) {
	leave, err := j.leave(tree)
	if err != nil {
		return nil, err
	}
	p := archive.Packing{Format: formatOf(j.note.spec.GetGzip()), Paths: []string{""}, Leave: leave, HardLinks: true, Threads: threads}
	total, err := archive.Size(ctx, tree, p)
	if err != nil {
		return nil, err
	}
	j.set(func(s *protocol.BackupProgress) {
		s.Stage, s.Message, s.Total = protocol.BackupStage_BACKUP_STAGE_RUNNING, "Reading files", total
	})
	out, err := j.target()
	if err != nil {
		return nil, err
	}
	defer out.abort()
	sum := &summed{to: out, hash: newHash(), most: j.note.spec.GetMaxBytes()}
	entries, err := j.read(ctx, tree, p, sum, total)
	if err != nil {
		return nil, err
	}
	end := &protocol.BackupProgress{Size: sum.n, Checksum: hex.EncodeToString(sum.hash.Sum(nil)), Entries: entries, Total: total}
	j.set(func(s *protocol.BackupProgress) {
		s.Stage, s.Message, s.Progress = protocol.BackupStage_BACKUP_STAGE_VERIFYING, "Verifying the archive", readPart
	})
	return end, out.finish(ctx, end)
}

func formatOf(gzip bool) archive.Format {
	if gzip {
		return archive.TarGzip
	}
	return archive.TarZstd
}

// read has the program prepare, reads the files, and tells the program that it is over.
func (j *job) read(ctx context.Context, tree *files.Tree, p archive.Packing, to io.Writer, total int64) (entries int64, err error) {
	if err := j.before(ctx); err != nil {
		return 0, err
	}
	j.say("Backup begins")
	var read int64
	told := time.Now()
	p.Packed = func(files.Entry) { entries++ }
	p.Progress = func(n int64) {
		read += n
		j.keeper.pace.wait(ctx, n)
		if time.Since(told) < tellEvery {
			return
		}
		told = time.Now()
		j.set(func(s *protocol.BackupProgress) { s.Progress = readPart * min(1, float64(read)/float64(max(1, total))) })
	}
	err = archive.Write(ctx, to, tree, p)
	if life := j.keeper.life; life.Err() == nil { // else the next agent does it
		err = errors.Join(err, j.after(context.WithoutCancel(ctx)))
	}
	return entries, err
}

// tellEvery is how often progress is told.
const tellEvery = 300 * time.Millisecond

// leave says what is left out, by the file in the server's root and by the backup's own patterns; nil leaves out nothing.
func (j *job) leave(tree *files.Tree) (func(string) bool, error) {
	var lines []string
	f, err := tree.Open(ignoreFile)
	if err == nil {
		content, err := io.ReadAll(io.LimitReader(f, maxIgnore))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("read %s: %w", ignoreFile, err)
		}
		lines = strings.Split(string(content), "\n")
	}
	if lines = append(lines, j.note.spec.GetIgnore()...); len(lines) == 0 {
		return nil, nil //nolint:nilnil // nothing is left out
	}
	return ignore.CompileIgnoreLines(lines...).MatchesPath, nil
}

// before has a program that runs prepare for the backup.
func (j *job) before(ctx context.Context) error {
	lines := j.note.spec.GetBefore()
	if len(lines)+len(j.note.spec.GetAfter()) == 0 {
		return nil
	}
	if err := j.save(func(n *note) { n.told = true }); err != nil {
		return err
	}
	for _, line := range lines {
		if err := j.input(ctx, line); err != nil {
			if fault.CodeOf(err) == fault.Conflict {
				return nil // no program runs
			}
			return err
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return j.quiet(ctx)
}

// quiet waits until the console is.
func (j *job) quiet(ctx context.Context) error {
	ticker := time.NewTicker(settleLook)
	defer ticker.Stop()
	id := j.note.spec.GetServerId()
	begun, since, last := time.Now(), time.Now(), j.keeper.consoles.Last(id)
	for time.Since(since) < settle && time.Since(begun) < settleMost {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
		if now := j.keeper.consoles.Last(id); now != last {
			since, last = time.Now(), now
		}
	}
	return nil
}

// after tells a program that runs that its files were read. A program that does not read its console is no reason for a
// backup to fail.
func (j *job) after(ctx context.Context) error {
	if !j.note.told {
		return nil
	}
	for _, line := range j.note.spec.GetAfter() {
		j.insist(ctx, line)
	}
	return j.save(func(n *note) { n.told = false })
}

// insist writes a line to the console. After the start of the agent, the program may not have been found yet.
func (j *job) insist(ctx context.Context, line string) {
	retry := time.NewTimer(sayAgain)
	defer retry.Stop()
	for begun := time.Now(); ; {
		err := j.input(ctx, line)
		if err == nil || (fault.CodeOf(err) == fault.Conflict && j.note.tries == 1) {
			return
		}
		if time.Since(begun) > sayMost {
			j.keeper.config.Logger.LogAttrs(ctx, slog.LevelWarn, "a program was not told that its backup is over",
				slog.String("server_id", j.note.spec.GetServerId()), slog.Any("error", err))
			return
		}
		retry.Reset(sayAgain)
		select {
		case <-retry.C:
		case <-j.keeper.life.Done():
			return
		}
	}
}

func (j *job) input(ctx context.Context, line string) error {
	ctx, cancel := context.WithTimeout(ctx, consoleTime)
	defer cancel()
	_, err := j.keeper.consoles.Input(ctx, j.note.spec.GetServerId(), line)
	return err
}

// say tells those who watch the console.
func (j *job) say(text string) {
	j.keeper.consoles.Notice(j.keeper.life, j.note.spec.GetServerId(), text)
}

// summed counts and sums what is written, up to a limit.
type summed struct {
	to   io.Writer
	hash hash.Hash
	n    int64
	most int64
}

// Write implements io.Writer.
func (s *summed) Write(b []byte) (int, error) {
	if s.most > 0 && s.n+int64(len(b)) > s.most {
		return 0, fault.New(fault.QuotaExceeded, "The backup would be larger than what is left for backups of the server (%d bytes): delete others, or leave something out.", s.most)
	}
	n, err := s.to.Write(b)
	_, _ = s.hash.Write(b[:n]) // it never fails
	s.n += int64(n)
	return n, err
}
