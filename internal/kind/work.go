package kind

import "io"

// BackupState is the state of a backup.
type BackupState string

// The values of BackupState.
const (
	BackupStatePending   BackupState = "PENDING"
	BackupStateRunning   BackupState = "RUNNING"
	BackupStateVerifying BackupState = "VERIFYING"
	BackupStateCompleted BackupState = "COMPLETED"
	BackupStateFailed    BackupState = "FAILED"
	BackupStateCancelled BackupState = "CANCELLED"
)

// Values lists every BackupState for the database's and the API's enum.
func (BackupState) Values() []string {
	return values(BackupStatePending, BackupStateRunning, BackupStateVerifying, BackupStateCompleted, BackupStateFailed, BackupStateCancelled)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v BackupState) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *BackupState) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// BackupCompression is how a backup's archive is compressed.
type BackupCompression string

// The values of BackupCompression.
const (
	BackupCompressionZstd BackupCompression = "ZSTD"
	BackupCompressionGzip BackupCompression = "GZIP"
)

// Values lists every BackupCompression for the database's and the API's enum.
func (BackupCompression) Values() []string {
	return values(BackupCompressionZstd, BackupCompressionGzip)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v BackupCompression) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *BackupCompression) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// StorageType is where backups are kept.
type StorageType string

// The values of StorageType.
const (
	// StorageTypeLocal is the node's own disk.
	StorageTypeLocal StorageType = "LOCAL"
	// StorageTypeS3 is an S3-compatible store.
	StorageTypeS3 StorageType = "S3"
)

// Values lists every StorageType for the database's and the API's enum.
func (StorageType) Values() []string {
	return values(StorageTypeLocal, StorageTypeS3)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v StorageType) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *StorageType) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// TaskAction is one step of a scheduled task.
type TaskAction string

// The values of TaskAction.
const (
	TaskActionStart   TaskAction = "START"
	TaskActionStop    TaskAction = "STOP"
	TaskActionRestart TaskAction = "RESTART"
	TaskActionKill    TaskAction = "KILL"
	TaskActionBackup  TaskAction = "BACKUP"
	TaskActionCommand TaskAction = "COMMAND"
)

// Values lists every TaskAction for the database's and the API's enum.
func (TaskAction) Values() []string {
	return values(TaskActionStart, TaskActionStop, TaskActionRestart, TaskActionKill, TaskActionBackup, TaskActionCommand)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v TaskAction) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *TaskAction) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// TaskRunState is the state of one run of a task.
type TaskRunState string

// The values of TaskRunState.
const (
	TaskRunStateRunning   TaskRunState = "RUNNING"
	TaskRunStateSucceeded TaskRunState = "SUCCEEDED"
	TaskRunStateFailed    TaskRunState = "FAILED"
	TaskRunStateSkipped   TaskRunState = "SKIPPED"
)

// Values lists every TaskRunState for the database's and the API's enum.
func (TaskRunState) Values() []string {
	return values(TaskRunStateRunning, TaskRunStateSucceeded, TaskRunStateFailed, TaskRunStateSkipped)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v TaskRunState) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *TaskRunState) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// TransferState is the state of a transfer between nodes.
type TransferState string

// The values of TransferState.
const (
	TransferStatePending   TransferState = "PENDING"
	TransferStateChecking  TransferState = "CHECKING"
	TransferStateBackingUp TransferState = "BACKING_UP"
	TransferStateCopying   TransferState = "COPYING"
	TransferStateVerifying TransferState = "VERIFYING"
	TransferStateCommitted TransferState = "COMMITTED"
	TransferStateCompleted TransferState = "COMPLETED"
	TransferStateFailed    TransferState = "FAILED"
	TransferStateCancelled TransferState = "CANCELLED"
)

// Values lists every TransferState for the database's and the API's enum.
func (TransferState) Values() []string {
	return values(TransferStatePending, TransferStateChecking, TransferStateBackingUp, TransferStateCopying, TransferStateVerifying, TransferStateCommitted, TransferStateCompleted, TransferStateFailed, TransferStateCancelled)
}

// MarshalGQL writes the value as a GraphQL enum.
func (v TransferState) MarshalGQL(w io.Writer) { marshal(w, v) }

// UnmarshalGQL reads a GraphQL enum value; unknown ones are refused.
func (v *TransferState) UnmarshalGQL(in any) error { return unmarshal(v, in, v.Values()) }

// Unfinished reports whether something follows the state.
func (v BackupState) Unfinished() bool {
	switch v {
	case BackupStatePending, BackupStateRunning, BackupStateVerifying:
		return true
	case BackupStateCompleted, BackupStateFailed, BackupStateCancelled:
		return false
	}
	return false
}
