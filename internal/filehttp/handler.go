package filehttp

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	tus "github.com/tus/tusd/v2/pkg/handler"

	"github.com/catalyst-panel/catalyst/internal/backups"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/files"
	"github.com/catalyst-panel/catalyst/internal/request"
)

// Config is what a Handler needs.
type Config struct {
	Files   *files.Service
	Backups *backups.Service
	Logger  *slog.Logger
}

// Handler answers requests below /files/.
type Handler struct {
	config Config
	mux    *http.ServeMux
	tus    *tus.UnroutedHandler
}

// New returns a handler.
func New(config Config) (*Handler, error) {
	library, err := newTus()
	if err != nil {
		return nil, fmt.Errorf("make the handler of uploads: %w", err)
	}
	h := &Handler{config: config, mux: http.NewServeMux(), tus: library}
	h.mux.HandleFunc("OPTIONS /files/upload/{token}", h.options)
	for _, method := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete, http.MethodPost} {
		h.mux.HandleFunc(method+" /files/upload/{token}", h.upload)
	}
	h.mux.HandleFunc("GET /files/download/{token}/{name...}", h.download(config.Files.Download))
	h.mux.HandleFunc("GET /files/backup/{token}/{name...}", h.download(config.Backups.Download))
	h.mux.HandleFunc("GET /files/log/{token}/{name...}", h.log)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.refuse(w, r, fault.New(fault.NotFound, "There is nothing here. The API gives out addresses of files."))
	})
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// statuses are those of faults.
var statuses = map[fault.Code]int{
	fault.Unauthenticated: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden, fault.NotFound: http.StatusNotFound,
	fault.BadUserInput: http.StatusBadRequest, fault.BadRequest: http.StatusBadRequest, fault.Conflict: http.StatusConflict,
	fault.QuotaExceeded: http.StatusInsufficientStorage, fault.RateLimited: http.StatusTooManyRequests,
	fault.NodeOffline: http.StatusServiceUnavailable, fault.Timeout: http.StatusGatewayTimeout,
}

// refuse answers an error as {"code", "message"}. What is no fault is logged and told without details.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code == fault.Internal {
		if r.Context().Err() == nil {
			h.config.Logger.ErrorContext(r.Context(), "a transfer of files failed", slog.Any("error", err))
		}
		f = fault.New(fault.Internal, "Something went wrong on our side. Report the request id %s.", request.ID(r.Context()))
	}
	status, ok := statuses[f.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())+1))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": string(f.Code), "message": f.Message}) // who has gone does not read it
}
