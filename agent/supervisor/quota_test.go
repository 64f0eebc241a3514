package supervisor_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// filling is a server that may have 1 MiB and whose program fills 2.
func (w *world) filling() string {
	w.t.Helper()
	spec := specOf(w.id)
	spec.Limits.Disk = 1 << 20
	w.applySpec(spec, start, 1)
	w.expect(kind.ServerStateRunning)
	save := filepath.Join(w.dir, w.id, "files", "save")
	if err := os.WriteFile(save, make([]byte, 2<<20), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return save
}

// watch lets time pass as the agent does, which samples its servers now and then.
func (w *world) watch(d time.Duration) {
	w.t.Helper()
	for range d / (30 * time.Second) {
		w.sup.Samples(w.t.Context())
		w.pass(30 * time.Second)
	}
}

func (w *world) said(part string) bool {
	return slices.ContainsFunc(w.lines(), func(line string) bool { return strings.Contains(line, part) })
}

// TestOverQuota has a program fill its disk: it is warned, and stopped when it makes no room.
func TestOverQuota(t *testing.T) {
	run(t, script{}, func(w *world) {
		w.filling()
		w.watch(time.Minute)
		w.expect(kind.ServerStateRunning)
		equal(w.t, "warned", true, w.said("more disk space than its quota"))
		w.watch(3 * time.Minute)
		w.expect(kind.ServerStateError)
		equal(w.t, "reason", "used more disk space than its quota: delete files, or raise the quota", w.observed().GetReason())
		tree, err := w.sup.Files().Tree(w.id)
		if err != nil {
			w.t.Fatal(err)
		}
		defer tree.Close()
		_, err = tree.OpenFile("new", os.O_WRONLY|os.O_CREATE, 0o600)
		equal(w.t, "writing", fault.QuotaExceeded, fault.CodeOf(err))
	})
}

// TestOverQuotaMakesRoom has a program make room after it was warned: it goes on.
func TestOverQuotaMakesRoom(t *testing.T) {
	run(t, script{}, func(w *world) {
		save := w.filling()
		w.watch(time.Minute)
		if err := os.Truncate(save, 1000); err != nil {
			w.t.Fatal(err)
		}
		w.watch(5 * time.Minute)
		w.expect(kind.ServerStateRunning)
	})
}
