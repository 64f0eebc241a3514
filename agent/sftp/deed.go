package sftp

import (
	"context"
	"sync"
	"time"
)

// Kind is a kind of change.
type Kind string

// The kinds.
const (
	Write   Kind = "write"
	Mkdir   Kind = "mkdir"
	Rename  Kind = "rename"
	Delete  Kind = "delete"
	Symlink Kind = "symlink"
	Link    Kind = "link"
	Chmod   Kind = "chmod"
	Touch   Kind = "touch"
)

// maxDeeds is how many deeds are told one by one each time.
const maxDeeds = 500

// Deed is one kind of change to one file.
type Deed struct {
	Kind Kind
	// Path is from the server's root.
	Path string
	// To is the new name of a rename or a link.
	To string
	// Count is how often it was done, Bytes how much was written.
	Count uint64
	Bytes int64
}

// log gathers what a session changes.
type log struct {
	mu    sync.Mutex
	deeds []Deed
	known map[Deed]int // by kind and names
	more  uint64
}

func newLog() *log { return &log{known: make(map[Deed]int)} }

// note adds a deed to those that wait to be told.
func (l *log) note(d Deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := Deed{Kind: d.Kind, Path: d.Path, To: d.To}
	if at, ok := l.known[key]; ok {
		l.deeds[at].Count++
		l.deeds[at].Bytes += d.Bytes
		return
	}
	if len(l.deeds) >= maxDeeds {
		l.more++
		return
	}
	d.Count = 1
	l.known[key] = len(l.deeds)
	l.deeds = append(l.deeds, d)
}

func (l *log) take() ([]Deed, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deeds, more := l.deeds, l.more
	l.deeds, l.more = nil, 0
	clear(l.known)
	return deeds, more
}

// tell tells what was changed, from time to time and at the end.
func (l *log) tell(ctx context.Context, done <-chan struct{}, to func(context.Context, []Deed, uint64)) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		case <-tick.C:
		}
		if deeds, more := l.take(); len(deeds) > 0 {
			to(ctx, deeds, more)
		}
	}
}
