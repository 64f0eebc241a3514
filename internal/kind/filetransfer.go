package kind

import "io"

// FileWork is a long work with a server's files.
type FileWork string

// The values of FileWork.
const (
	FileWorkCompress   FileWork = "COMPRESS"
	FileWorkDecompress FileWork = "DECOMPRESS"
	FileWorkPull       FileWork = "PULL"
)

// Values lists every FileWork for the API's enum.
func (FileWork) Values() []string {
	return values(FileWorkCompress, FileWorkDecompress, FileWorkPull)
}

// MarshalGQL writes the value as a GraphQL enum.
func (k FileWork) MarshalGQL(w io.Writer) { marshal(w, k) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (k *FileWork) UnmarshalGQL(in any) error { return unmarshal(k, in, k.Values()) }

// FileTransferState is how far a long work with files is.
type FileTransferState string

// The values of FileTransferState.
const (
	FileTransferRunning   FileTransferState = "RUNNING"
	FileTransferCompleted FileTransferState = "COMPLETED"
	FileTransferFailed    FileTransferState = "FAILED"
	FileTransferCancelled FileTransferState = "CANCELLED"
)

// Values lists every FileTransferState for the API's enum.
func (FileTransferState) Values() []string {
	return values(FileTransferRunning, FileTransferCompleted, FileTransferFailed, FileTransferCancelled)
}

// MarshalGQL writes the value as a GraphQL enum.
func (s FileTransferState) MarshalGQL(w io.Writer) { marshal(w, s) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (s *FileTransferState) UnmarshalGQL(in any) error { return unmarshal(s, in, s.Values()) }
