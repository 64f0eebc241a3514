package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Meter is a viewer of a console who looks only at the lines of the Demo game's command rate: that each comes once and in
// order, and how long it took from the print. It reads the frames' bytes, so that many of them cost little.
type Meter struct {
	conn *websocket.Conn
	done chan struct{}

	mu    sync.Mutex
	next  int
	err   error
	delay Delays
}

// Delays counts delays by the millisecond.
type Delays struct {
	count [2001]int
	total int
}

func (d *Delays) add(took time.Duration, n int) {
	ms := min(max(0, int(took/time.Millisecond)), len(d.count)-1)
	d.count[ms] += n
	d.total += n
}

// Merge adds those of another.
func (d *Delays) Merge(other *Delays) {
	for ms, n := range other.count {
		d.count[ms] += n
	}
	d.total += other.total
}

// Quantile returns the delay that a part q of them (0…1) stays within, in steps of a millisecond; two seconds and more
// are two seconds.
func (d *Delays) Quantile(q float64) time.Duration {
	left := int(math.Ceil(q * float64(d.total)))
	for ms, n := range d.count {
		if left -= n; left <= 0 {
			return time.Duration(ms+1) * time.Millisecond
		}
	}
	return 0
}

// Meter begins to watch a console; the error is about the connection.
func (c *Client) Meter(ctx context.Context, serverID string) (*Meter, error) {
	s, err := c.dial(ctx, `subscription($id: ID!) { console(serverId: $id) { lines { text } skipped } }`, Vars{"id": serverID})
	if err != nil {
		return nil, err
	}
	m := &Meter{conn: s, done: make(chan struct{}), next: 1}
	go m.read(context.WithoutCancel(ctx))
	return m, nil
}

// read takes frames until one is wrong or the connection ends.
func (m *Meter) read(ctx context.Context) {
	defer close(m.done)
	for {
		_, frame, err := m.conn.Read(ctx)
		now := time.Now()
		if err == nil {
			err = m.take(frame, now)
		}
		if err != nil {
			m.mu.Lock()
			m.err = err
			m.mu.Unlock()
			return
		}
	}
}

var (
	rateMark    = []byte(`"rate `)
	skippedMark = []byte(`"skipped":`)
	errWrong    = errors.New("a frame is wrong")
)

// commandEnds is more than any number of seconds: the command itself looks like a line of its output.
const commandEnds = 1e15

// take looks at the lines of one frame.
func (m *Meter) take(frame []byte, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := bytes.Index(frame, skippedMark); i >= 0 && frame[i+len(skippedMark)] != '0' {
		return fmt.Errorf("%w: lines were skipped: %.200s", errWrong, frame[i:])
	}
	for rest := frame; ; {
		i := bytes.Index(rest, rateMark)
		if i < 0 {
			return nil
		}
		rest = rest[i+len(rateMark):]
		number, at, ok := rated(rest)
		if !ok {
			continue // "rate done"
		}
		if number != m.next {
			return fmt.Errorf("%w: line %d came where %d was due", errWrong, number, m.next)
		}
		m.next++
		m.delay.add(now.Sub(at), 1)
	}
}

// rated parses "I UNIXNANO" before a quote.
func rated(text []byte) (number int, at time.Time, ok bool) {
	text, _, _ = bytes.Cut(text[:min(len(text), 64)], []byte(`"`))
	first, second, _ := bytes.Cut(text, []byte(" "))
	number, err := strconv.Atoi(string(first))
	nano, err2 := strconv.ParseInt(string(second), 10, 64)
	return number, time.Unix(0, nano), err == nil && err2 == nil && nano > commandEnds
}

// Await waits until the lines 1…last were seen.
func (m *Meter) Await(tb testing.TB, most time.Duration, last int) {
	tb.Helper()
	Eventually(tb, most, "all lines were seen", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if errors.Is(m.err, errWrong) {
			tb.Fatal(m.err)
		}
		if m.next <= last {
			return fmt.Errorf("%d of %d lines were seen; the connection's error: %w", m.next-1, last, m.err)
		}
		return nil
	})
}

// Delays returns a copy of how long the lines took.
func (m *Meter) Delays() Delays {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.delay
}

// Close ends the connection.
func (m *Meter) Close() {
	_ = m.conn.CloseNow() // what it says does not matter any more
	<-m.done
}
