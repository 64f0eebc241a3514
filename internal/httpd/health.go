package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/catalyst-panel/catalyst/internal/request"
)

const healthTimeout = 2 * time.Second

// alive answers /healthz: the process runs and answers. A supervisor restarts it when it does not.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	writeStatus(w, http.StatusOK, "ok")
}

// ready answers /readyz: requests can be served. A load balancer sends none when they cannot. The reason stands in the
// log only, since anybody may ask.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	err := s.health(ctx)
	if unready := err != nil; s.unready.Swap(unready) != unready {
		s.logReadiness(r.Context(), err)
	}
	if err != nil {
		writeStatus(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	writeStatus(w, http.StatusOK, "ready")
}

func (s *Server) health(ctx context.Context) error {
	if s.draining.Load() {
		return request.ErrShutdown
	}
	if s.config.Health == nil {
		return nil
	}
	return s.config.Health(ctx)
}

func (s *Server) logReadiness(ctx context.Context, err error) {
	switch {
	case err == nil:
		s.config.Logger.InfoContext(ctx, "ready for requests again")
	case errors.Is(err, context.Canceled), errors.Is(err, request.ErrShutdown):
		s.config.Logger.DebugContext(ctx, "not ready for requests", slog.String("error", err.Error()))
	default:
		s.config.Logger.WarnContext(ctx, "not ready for requests", slog.String("error", err.Error()))
	}
}

func writeStatus(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": text})
}
