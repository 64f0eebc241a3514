package output

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/agent/durable"
)

// Before a line gets a number, that number is reserved on the disk, together with many after it. A machine that loses its
// power loses its last lines, which the panel may have by then: numbers go on behind what was reserved instead of being
// given twice. The reservation is removed once all lines are on the disk for good, and means nothing while the machine
// has been running without a break, since nothing that was written is lost then.
const (
	reservedName = "reserved"
	// minReserve and maxReserve are how many numbers are reserved at once: the more, the faster lines come.
	minReserve, maxReserve = 1 << 10, 64 << 10
	// reserveFor is how long a reservation should last at least.
	reserveFor = 10 * time.Second
	// reserveAgain is after how many lines a reservation is tried again that the disk did not take.
	reserveAgain = 64
)

// reserve reserves the numbers that come next.
func (w *Writer) reserve(at time.Time) {
	size := uint64(minReserve)
	if age := at.Sub(w.reservedAt); w.block > 0 && age < reserveFor {
		size = min(2*w.block, maxReserve)
	}
	content := fmt.Appendf(nil, "%s %d\n", bootID(), w.last+size)
	if durable.WriteFile(path.Join(w.dir, reservedName), content) != nil {
		w.reserved = w.last + reserveAgain // a disk that does not take this takes no lines either
		return
	}
	w.reserved, w.block, w.reservedAt = w.last+size, size, at
}

// settle makes the lines last, after which nothing needs to be reserved.
func (w *Writer) settle() error {
	if w.block == 0 {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	if err := os.Remove(path.Join(w.dir, reservedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove reservation: %w", err)
	}
	return nil
}

// abandoned returns the last number that was reserved before the machine was started the last time, or 0.
func abandoned(dir string) uint64 {
	content, err := os.ReadFile(path.Join(dir, reservedName))
	if err != nil {
		return 0
	}
	var (
		boot string
		upto uint64
	)
	if n, _ := fmt.Sscanf(string(content), "%s %d", &boot, &upto); n != 2 || boot == bootID() {
		return 0
	}
	return upto
}

// bootID names the time since the machine was started the last time.
var bootID = sync.OnceValue(func() string {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(content))
})
