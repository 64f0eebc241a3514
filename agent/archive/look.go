package archive

import (
	"context"
	"errors"
	"io/fs"

	"github.com/catalyst-panel/catalyst/agent/files"
)

// Look names what is in an archive without unpacking it, up to most entries. It reports whether there is more.
func Look(ctx context.Context, tree *files.Tree, archive string, most int) ([]files.Entry, bool, error) {
	format, err := ByName(archive)
	if err != nil {
		return nil, false, err
	}
	f, err := tree.Open(archive)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	var found []files.Entry
	err = scan(ctx, f, format, Default(), nil, func(m member) error {
		if len(found) == most {
			return fs.SkipAll
		}
		found = append(found, files.Entry{
			Path: m.name, Kind: m.kind, Size: max(0, m.size), Mode: m.mode, ModifiedAt: m.modified, Target: m.target,
		})
		return nil
	})
	if errors.Is(err, fs.SkipAll) {
		return found, true, nil
	}
	return found, false, err
}

// Size is how many bytes of content are to be packed, as far as can be told before.
func Size(ctx context.Context, tree *files.Tree, p Packing) (int64, error) {
	var sum int64
	for _, name := range p.Paths {
		err := tree.Walk(ctx, name, func(v *files.Visit) error {
			if v.Path != "." && p.leaves(v.Entry) {
				if v.Kind == files.Directory {
					return fs.SkipDir
				}
				return nil
			}
			sum += v.Size
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
