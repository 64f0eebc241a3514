package console

import "sync"

// Texts keeps what followers show of one batch, so that it is made once for all who show the same.
type Texts struct {
	mu   sync.Mutex
	made map[string][]byte
}

// Of returns what render makes, which is called once for each key, and always when t is nil. The result is shared and must
// not be changed.
func (t *Texts) Of(key string, render func() []byte) []byte {
	if t == nil {
		return render()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	text, ok := t.made[key]
	if !ok {
		text = render()
		if t.made == nil {
			t.made = map[string][]byte{}
		}
		t.made[key] = text
	}
	return text
}
