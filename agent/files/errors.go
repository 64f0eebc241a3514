package files

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

var (
	errRoot       = fault.New(fault.BadUserInput, "The server's root cannot be renamed, replaced or deleted: name something in it.")
	errIrregular  = fault.New(fault.BadUserInput, "Only files and directories can be opened: this is a pipe, a socket or a device.")
	errDirectory  = fault.New(fault.BadUserInput, "This is a directory: a file is needed.")
	errNoDir      = fault.New(fault.BadUserInput, "This is no directory, or the path leads through a file.")
	errEscapes    = fault.New(fault.BadUserInput, "The path leads out of the server's directory through a link.")
	errExists     = fault.New(fault.Conflict, "There is a file or a directory of this name already: choose another name or delete it first.")
	errNotEmpty   = fault.New(fault.Conflict, "The directory is not empty.")
	errMissing    = fault.New(fault.NotFound, "There is no such file or directory.")
	errForbidden  = fault.New(fault.Conflict, "The node's agent may not do that to this file: look at its owner and mode.")
	errNoSpace    = fault.New(fault.QuotaExceeded, "The node's disk is full.")
	errLoop       = fault.New(fault.BadUserInput, "The path leads through too many links.")
	errIntoItself = fault.New(fault.BadUserInput, "A directory cannot be put into itself.")
	errTooLong    = fault.New(fault.BadUserInput, "The name is too long for the node's file system.")
	errTooDeep    = fault.New(fault.BadUserInput, "The directories are nested too deeply for this.")
	errModified   = fault.New(fault.Conflict, "The file was changed meanwhile: read it again and merge the changes.")
)

// explain makes a fault of a system's error that a user can do something about. Anything else stays as it is.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*fault.Error](err); done {
		return err
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		if told, ok := errors.AsType[*fs.PathError](err); ok && told.Err != nil && told.Err.Error() == "path escapes from parent" {
			return errEscapes.Wrap(err)
		}
		return err
	}
	if known, ok := explanations[number]; ok {
		return known.Wrap(err)
	}
	return err
}

var explanations = map[syscall.Errno]*fault.Error{
	syscall.ENOENT:       errMissing,
	syscall.EEXIST:       errExists,
	syscall.ENOTDIR:      errNoDir,
	syscall.EISDIR:       errDirectory,
	syscall.ENOTEMPTY:    errNotEmpty,
	syscall.EACCES:       errForbidden,
	syscall.EPERM:        errForbidden,
	syscall.EROFS:        errForbidden,
	syscall.ETXTBSY:      errForbidden,
	syscall.EBUSY:        errForbidden,
	syscall.ENOSPC:       errNoSpace,
	syscall.EDQUOT:       errNoSpace,
	syscall.ELOOP:        errLoop,
	syscall.ENAMETOOLONG: errTooLong,
	syscall.ENXIO:        errIrregular,
	syscall.ENODEV:       errIrregular,
}
