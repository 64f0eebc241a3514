package sftp

import (
	"errors"
	"io"

	"github.com/pkg/sftp"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// status is an answer that is no success: a sentence for people, and one of the protocol's codes.
type status struct {
	sentence string
	code     error
}

// Error is the sentence.
func (s *status) Error() string { return s.sentence }

// Unwrap is the code, which the library looks for.
func (s *status) Unwrap() error { return s.code }

// codes are those of faults; everything else is SSH_FX_FAILURE.
var codes = map[fault.Code]error{
	fault.NotFound:  sftp.ErrSSHFxNoSuchFile,
	fault.Forbidden: sftp.ErrSSHFxPermissionDenied,
}

// answer makes a status of an error. What is no fault is not told to clients.
func answer(err error) error {
	var done *status
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &done) {
		return err
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return &status{"The node could not do that.", sftp.ErrSSHFxFailure}
	}
	code, ok := codes[f.Code]
	if !ok {
		code = sftp.ErrSSHFxFailure
	}
	return &status{f.Message, code}
}
