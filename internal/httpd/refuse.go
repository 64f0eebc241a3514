package httpd

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
)

// problem is a refusal by the edge itself. Its codes are those of package fault.
type problem struct {
	status     int
	code       string
	message    string
	retryAfter time.Duration
}

type extensions struct {
	Code       string `json:"code"`
	RetryAfter int    `json:"retryAfter,omitempty"`
	RequestID  string `json:"requestId,omitempty"`
}

type answer struct {
	Message    string     `json:"message"`
	Extensions extensions `json:"extensions"`
}

// refuser writes a problem in the format that the client of a route expects.
type refuser func(http.ResponseWriter, problem)

// writeGraphQLError answers in the format of GraphQL over HTTP.
func writeGraphQLError(w http.ResponseWriter, p problem) {
	w.Header().Set("Content-Type", "application/graphql-response+json; charset=utf-8")
	writeProblem(w, p, map[string][]answer{"errors": {p.answer(w)}})
}

// writeError answers {"code", "message"}, as the agent link does.
func writeError(w http.ResponseWriter, p problem) {
	a := p.answer(w)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	writeProblem(w, p, map[string]any{"code": a.Extensions.Code, "message": a.Message})
}

func (p problem) answer(w http.ResponseWriter) answer {
	a := answer{Message: p.message, Extensions: extensions{Code: p.code, RetryAfter: seconds(p.retryAfter)}}
	if p.status >= http.StatusInternalServerError {
		a.Extensions.RequestID = w.Header().Get(requestIDHeader)
	}
	return a
}

func writeProblem(w http.ResponseWriter, p problem, body any) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(p.retryAfter)))
	}
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone does not read the refusal either
}

// seconds rounds up, so that a client that waits as long as it was told is let in.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// limit refuses the requests of an address that has used up its limit.
func (s *Server) limit(limiter *ratelimit.Limiter, refuse refuser, next http.Handler) http.Handler {
	if limiter == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := ratelimit.AddrKey(request.FromContext(r.Context()).IP)
		wait, ok := limiter.Allow(key)
		if !ok {
			refuse(w, problem{
				http.StatusTooManyRequests, "RATE_LIMITED",
				"Too many requests from your address. Wait " + strconv.Itoa(seconds(wait)) + " seconds.", wait,
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}
