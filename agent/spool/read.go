package spool

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// cursor remembers where the reader stopped, so that following the queue does not read a segment again for each event.
type cursor struct {
	segment *segment
	after   uint64
	offset  int64
}

// ReadAfter returns events that follow the number after, oldest first: at most maxEvents, and no more once their size
// has reached maxBytes. Where events are gone, a Dropped event stands in their place, numbered like the last of them.
// It returns none when there is nothing newer.
func (s *Spool) ReadAfter(after uint64, maxEvents, maxBytes int) ([]*protocol.EventsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if err := s.sync(); err != nil {
		return nil, err
	}
	var events []*protocol.EventsResponse
	bytes := int64(0)
	for _, seg := range s.segments {
		if seg.next() <= after+1 {
			continue
		}
		if seg.first > after+1 {
			events = append(events, dropped(after, seg.first))
			after = seg.first - 1
		}
		read, n, err := s.readSegment(seg, after, maxEvents-len(events), int64(maxBytes)-bytes)
		if err != nil {
			return nil, err
		}
		events = append(events, read...)
		bytes += n
		if len(read) > 0 {
			after = read[len(read)-1].GetSeq()
		}
		if len(events) >= maxEvents || bytes >= int64(maxBytes) {
			break
		}
	}
	return events, nil
}

// dropped stands for the events after the number after and before the number first.
func dropped(after, first uint64) *protocol.EventsResponse {
	return &protocol.EventsResponse{
		Seq:   first - 1,
		Event: &protocol.EventsResponse_Dropped{Dropped: &protocol.Dropped{Count: first - 1 - after}},
	}
}

func (s *Spool) readSegment(seg *segment, after uint64, maxEvents int, maxBytes int64) ([]*protocol.EventsResponse, int64, error) {
	f, err := os.Open(seg.path)
	if err != nil {
		return nil, 0, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	offset := int64(0)
	if s.cursor.segment == seg && s.cursor.after == after {
		offset = s.cursor.offset
	}
	r := bufio.NewReader(io.NewSectionReader(f, offset, seg.size-offset))
	var events []*protocol.EventsResponse
	bytes := int64(0)
	for len(events) < maxEvents && bytes < maxBytes {
		event, n, err := decode(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read event after %d: %w", after, err)
		}
		offset += n
		if event.GetSeq() <= after {
			continue
		}
		bytes += n
		events = append(events, event)
	}
	if len(events) > 0 {
		s.cursor = cursor{segment: seg, after: events[len(events)-1].GetSeq(), offset: offset}
	}
	return events, bytes, nil
}
