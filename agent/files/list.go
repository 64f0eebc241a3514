package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Order is what a listing is sorted by. Directories always come before everything else, and names break ties.
type Order int

// The orders.
const (
	ByName Order = iota
	BySize
	ByModified
)

// Place is where an entry stands in a listing.
type Place struct {
	Directory bool
	// Number is what the listing is sorted by, as a number: the size, or the time in nanoseconds; 0 by name.
	Number int64
	Name   string
}

// Page says which entries of a directory are wanted.
type Page struct {
	Order Order
	// Reverse puts the largest first.
	Reverse bool
	// After, when set, is the place of the last entry that is already known.
	After *Place
	// Most is how many are wanted.
	Most int
}

// Listing is one page of a directory.
type Listing struct {
	Entries []Entry
	// Places are those of the entries.
	Places []Place
	// Total counts the entries of the whole directory.
	Total int
	// More reports whether there are entries after these.
	More bool
}

// List describes one page of a directory's entries. However large the directory is, the memory is that of the page.
func (t *Tree) List(ctx context.Context, name string, page Page) (Listing, error) {
	name, err := Clean(name)
	if err != nil {
		return Listing{}, err
	}
	dir, err := t.dir(name)
	if err != nil {
		return Listing{}, explain(err)
	}
	defer dir.Close()
	// A directory that a root opened looks at each name it reads; by a handle of its own it does not.
	plain, err := openDir(dir, ".")
	if err != nil {
		return Listing{}, explain(err)
	}
	defer plain.Close()
	l := listing{page: page, dir: plain}
	if err := l.read(ctx); err != nil {
		return Listing{}, explain(err)
	}
	return l.result(name), nil
}

type listing struct {
	page  Page
	dir   *os.File
	total int
	more  bool
	best  []Place // a heap whose top is the last of those wanted
}

func (l *listing) read(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := l.dir.ReadDir(batch)
		for _, e := range entries {
			if place, ok := l.place(e); ok {
				l.total++
				l.take(place)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// place finds out where an entry stands; by name the directory's own word is enough.
func (l *listing) place(e fs.DirEntry) (Place, bool) {
	p := Place{Directory: kindOf(e) == Directory, Name: e.Name()}
	if l.page.Order == ByName {
		return p, true
	}
	d, err := describe(l.dir, p.Name, p.Name)
	if err != nil {
		return p, false // it is gone
	}
	if p.Number = d.Size; l.page.Order == ByModified {
		p.Number = d.ModifiedAt.UnixNano()
	}
	return p, true
}

// compare tells which of two places comes first.
func (l *listing) compare(a, b Place) int {
	if a.Directory != b.Directory {
		if a.Directory {
			return -1
		}
		return 1
	}
	by := cmp.Compare(a.Number, b.Number)
	if by == 0 {
		by = compareNames(a.Name, b.Name)
	}
	if l.page.Reverse {
		return -by
	}
	return by
}

// compareNames puts names in the order in which people look for them: capitals do not matter.
func compareNames(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return cmp.Compare(x, y)
		}
	}
	if by := cmp.Compare(len(a), len(b)); by != 0 {
		return by
	}
	return strings.Compare(a, b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// take keeps a place when it belongs to the page.
func (l *listing) take(p Place) {
	if l.page.After != nil && l.compare(p, *l.page.After) <= 0 {
		return
	}
	if len(l.best) < l.page.Most {
		l.best = append(l.best, p)
		l.up(len(l.best) - 1)
		return
	}
	l.more = true
	if l.page.Most > 0 && l.compare(p, l.best[0]) < 0 {
		l.best[0] = p
		l.down(0)
	}
}

func (l *listing) up(i int) {
	for i > 0 {
		above := (i - 1) / 2
		if l.compare(l.best[i], l.best[above]) <= 0 {
			return
		}
		l.best[i], l.best[above] = l.best[above], l.best[i]
		i = above
	}
}

func (l *listing) down(i int) {
	for {
		last := i
		for _, below := range []int{2*i + 1, 2*i + 2} {
			if below < len(l.best) && l.compare(l.best[below], l.best[last]) > 0 {
				last = below
			}
		}
		if last == i {
			return
		}
		l.best[i], l.best[last] = l.best[last], l.best[i]
		i = last
	}
}

// result describes what was kept. What has vanished since is left out.
func (l *listing) result(name string) Listing {
	slices.SortFunc(l.best, l.compare)
	out := Listing{Total: l.total, More: l.more}
	for _, p := range l.best {
		e, err := describe(l.dir, p.Name, path.Join(name, p.Name))
		if err != nil {
			continue
		}
		out.Entries, out.Places = append(out.Entries, e), append(out.Places, p)
	}
	return out
}
