package protocol

import (
	"encoding/json"
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// ConnectCode is how a fault travels as the error of a call.
func ConnectCode(code fault.Code) connect.Code {
	switch code {
	case fault.NotFound:
		return connect.CodeNotFound
	case fault.BadUserInput:
		return connect.CodeInvalidArgument
	case fault.Conflict:
		return connect.CodeFailedPrecondition
	case fault.NodeOffline:
		return connect.CodeUnavailable
	case fault.QuotaExceeded, fault.RateLimited:
		return connect.CodeResourceExhausted
	case fault.Timeout:
		return connect.CodeDeadlineExceeded
	default:
		return connect.CodeInternal
	}
}

// statuses are the faults that an answer with a body may carry instead of it.
var statuses = map[fault.Code]int{
	fault.NotFound: http.StatusNotFound, fault.BadUserInput: http.StatusBadRequest, fault.Conflict: http.StatusConflict,
	fault.QuotaExceeded: http.StatusInsufficientStorage, fault.Timeout: http.StatusGatewayTimeout, fault.NodeOffline: http.StatusServiceUnavailable,
}

// HTTPStatus is the status of an answer that carries a fault instead of a body.
func HTTPStatus(code fault.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Refuse answers a request for bytes with an error instead, as a fault. It reports whether the error was one: what is none is for
// the agent's log, and the panel is told no more than that.
func Refuse(w http.ResponseWriter, err error) (told bool) {
	f, told := errors.AsType[*fault.Error](err)
	if !told {
		f = fault.New(fault.Internal, "The node could not do it: its agent's log says why.")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(HTTPStatus(f.Code))
	_ = json.NewEncoder(w).Encode(ErrorResponse{Code: string(f.Code), Message: f.Message}) // who has gone does not hear of it
	return told
}
