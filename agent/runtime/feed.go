package runtime

import "sync"

// Feed is the sending end of an Instance's Events: it merges what its one reader has not taken yet, so that whoever
// reports is never held up. Every implementation uses one per attached instance.
type Feed struct {
	events  chan Event
	changed chan struct{}
	closing chan struct{}
	done    chan struct{}
	once    sync.Once

	mu        sync.Mutex
	ready     bool
	toldReady bool
	wrote     uint64
	toldWrote uint64
	exit      *Exit
}

// NewFeed returns a Feed, whose goroutine lives until the Exit is delivered or Close is called.
func NewFeed() *Feed {
	f := &Feed{
		events: make(chan Event), changed: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go f.deliver()
	return f
}

// Events is the channel for Instance.Events.
func (f *Feed) Events() <-chan Event { return f.events }

// Ready reports that the program is ready; repeating it is harmless.
func (f *Feed) Ready() {
	f.update(func() { f.ready = true })
}

// Wrote reports the last line written.
func (f *Feed) Wrote(seq uint64) {
	f.update(func() { f.wrote = max(f.wrote, seq) })
}

// Exit reports the end, which is delivered last. Reports after it are ignored.
func (f *Feed) Exit(exit Exit) {
	f.update(func() { f.exit = &exit })
}

// Close ends the delivery, with or without an Exit delivered, and waits until the channel is closed.
func (f *Feed) Close() {
	f.once.Do(func() { close(f.closing) })
	<-f.done
}

func (f *Feed) update(change func()) {
	f.mu.Lock()
	if f.exit == nil {
		change()
	}
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *Feed) deliver() {
	defer close(f.done)
	defer close(f.events)
	for {
		event, some := f.next()
		if !some {
			select {
			case <-f.changed:
				continue
			case <-f.closing:
				return
			}
		}
		select {
		case f.events <- event:
		case <-f.closing:
			return
		}
		if event.Exit != nil {
			return
		}
	}
}

// next returns what the reader should hear next.
func (f *Feed) next() (Event, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ready && !f.toldReady:
		f.toldReady = true
		return Event{Ready: true}, true
	case f.wrote > f.toldWrote:
		f.toldWrote = f.wrote
		return Event{Wrote: f.wrote}, true
	case f.exit != nil:
		return Event{Exit: f.exit}, true
	}
	return Event{}, false
}
