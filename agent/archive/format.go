package archive

import (
	"strings"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// Format is a kind of archive.
type Format int

// The formats. The last two can only be read.
const (
	TarGzip Format = iota + 1
	TarZstd
	Zip
	Tar
	TarBzip2
	TarXz
)

// endings are the ends of names that stand for formats.
var endings = []struct {
	end    string
	format Format
}{
	{".tar.gz", TarGzip},
	{".tgz", TarGzip},
	{".tar.zst", TarZstd},
	{".tzst", TarZstd},
	{".zip", Zip},
	{".jar", Zip},
	{".mrpack", Zip},
	{".tar", Tar},
	{".tar.bz2", TarBzip2},
	{".tbz2", TarBzip2},
	{".tbz", TarBzip2},
	{".tar.xz", TarXz},
	{".txz", TarXz},
}

// Ending is how the names of archives of a format end.
func (f Format) Ending() string {
	for _, e := range endings {
		if e.format == f {
			return e.end
		}
	}
	return ""
}

// ByName finds the format that a name stands for. It fails with BAD_USER_INPUT.
func ByName(name string) (Format, error) {
	name = strings.ToLower(name)
	for _, e := range endings {
		if strings.HasSuffix(name, e.end) {
			return e.format, nil
		}
	}
	return 0, fault.New(fault.BadUserInput, "The name of an archive ends with .zip, .tar, .tar.gz, .tar.zst, .tar.bz2 or .tar.xz.")
}
