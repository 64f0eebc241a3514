package kind

import "io"

// FileType is what a name in a server's directory stands for.
type FileType string

// The values of FileType.
const (
	FileTypeFile      FileType = "FILE"
	FileTypeDirectory FileType = "DIRECTORY"
	FileTypeSymlink   FileType = "SYMLINK"
	FileTypeOther     FileType = "OTHER"
)

// Values lists every FileType for the API's enum.
func (FileType) Values() []string {
	return values(FileTypeFile, FileTypeDirectory, FileTypeSymlink, FileTypeOther)
}

// MarshalGQL writes the value as a GraphQL enum.
func (t FileType) MarshalGQL(w io.Writer) { marshal(w, t) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (t *FileType) UnmarshalGQL(in any) error { return unmarshal(t, in, t.Values()) }

// FileOrderField is what a listing of files is sorted by.
type FileOrderField string

// The values of FileOrderField.
const (
	FileOrderName       FileOrderField = "NAME"
	FileOrderSize       FileOrderField = "SIZE"
	FileOrderModifiedAt FileOrderField = "MODIFIED_AT"
)

// Values lists every FileOrderField for the API's enum.
func (FileOrderField) Values() []string {
	return values(FileOrderName, FileOrderSize, FileOrderModifiedAt)
}

// MarshalGQL writes the value as a GraphQL enum.
func (f FileOrderField) MarshalGQL(w io.Writer) { marshal(w, f) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (f *FileOrderField) UnmarshalGQL(in any) error { return unmarshal(f, in, f.Values()) }

// ArchiveFormat is a kind of archive that can be made.
type ArchiveFormat string

// The values of ArchiveFormat.
const (
	ArchiveFormatZip     ArchiveFormat = "ZIP"
	ArchiveFormatTarGzip ArchiveFormat = "TAR_GZ"
	ArchiveFormatTarZstd ArchiveFormat = "TAR_ZST"
	ArchiveFormatTar     ArchiveFormat = "TAR"
)

// Values lists every ArchiveFormat for the API's enum.
func (ArchiveFormat) Values() []string {
	return values(ArchiveFormatZip, ArchiveFormatTarGzip, ArchiveFormatTarZstd, ArchiveFormatTar)
}

// MarshalGQL writes the value as a GraphQL enum.
func (f ArchiveFormat) MarshalGQL(w io.Writer) { marshal(w, f) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (f *ArchiveFormat) UnmarshalGQL(in any) error { return unmarshal(f, in, f.Values()) }
