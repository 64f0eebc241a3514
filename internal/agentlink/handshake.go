package agentlink

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// maxEnrolBody is the largest enrolment request, in bytes.
const maxEnrolBody = 4 << 10

// Handler returns the routes of the handshake: protocol.NoncePath, protocol.EnrolPath and protocol.ConnectPath.
func (l *Link) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+protocol.NoncePath, l.serveNonce)
	mux.HandleFunc("POST "+protocol.EnrolPath, l.serveEnrol)
	mux.HandleFunc("GET "+protocol.ConnectPath, l.serveConnect)
	return mux
}

func (l *Link) serveNonce(w http.ResponseWriter, r *http.Request) {
	if refuseBrowser(w, r) {
		return
	}
	writeJSON(w, http.StatusOK, protocol.Nonce{Nonce: l.nonces.issue()})
}

func (l *Link) serveEnrol(w http.ResponseWriter, r *http.Request) {
	if refuseBrowser(w, r) {
		return
	}
	request, refusal := readEnrolment(w, r)
	if refusal != nil {
		writeRefusal(w, refusal)
		return
	}
	ctx := l.system(r.Context(), "an agent enrols")
	remote := l.cfg.RemoteAddr(r)
	nodeID, err := l.cfg.Nodes.Enrol(ctx, request.Token, ed25519.PublicKey(request.PublicKey), remote)
	if err != nil {
		l.log.InfoContext(ctx, "an enrolment was refused",
			slog.String("remote_addr", remote.String()), slog.Any("error", err))
		writeRefusal(w, err)
		return
	}
	l.log.InfoContext(ctx, "a node has enrolled",
		slog.String("node_id", nodeID), slog.String("remote_addr", remote.String()))
	writeJSON(w, http.StatusOK, protocol.EnrolResponse{NodeID: nodeID, Version: protocol.Version})
}

// readEnrolment checks everything about an enrolment except its token, so that a request which could not succeed does
// not spend it.
func readEnrolment(w http.ResponseWriter, r *http.Request) (protocol.EnrolRequest, error) {
	var request protocol.EnrolRequest
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return request, fault.New(fault.BadRequest, "Send the enrolment as application/json.")
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEnrolBody))
	if err := body.Decode(&request); err != nil {
		return request, fault.New(fault.BadRequest, "Send the enrolment as one JSON object of at most 4 KiB.").Wrap(err)
	}
	if _, err := body.Token(); !errors.Is(err, io.EOF) {
		return request, fault.New(fault.BadRequest, "Send the enrolment as one JSON object and nothing after it.")
	}
	switch {
	case !slices.Contains(request.Versions, protocol.Version):
		return request, versionFault()
	case request.Token == "":
		return request, fault.Input("token", "Give the enrolment token that the panel showed.")
	case len(request.PublicKey) != ed25519.PublicKeySize:
		return request, fault.Input("publicKey", "Give the agent's Ed25519 public key: 32 bytes in base64.")
	}
	return request, nil
}

// serveConnect proves the caller and only then upgrades. It returns when the link has ended.
func (l *Link) serveConnect(w http.ResponseWriter, r *http.Request) {
	if refuseBrowser(w, r) {
		return
	}
	if !offersSubprotocol(r.Header) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Protocol", protocol.Subprotocol)
		writeError(w, http.StatusUpgradeRequired, versionFault())
		return
	}
	ctx := l.system(r.Context(), "an agent connects")
	remote := l.cfg.RemoteAddr(r)
	nodeID, err := l.authenticate(ctx, r.Header.Get("Authorization"))
	if err != nil {
		l.log.InfoContext(ctx, "an agent was refused",
			slog.String("remote_addr", remote.String()), slog.Any("error", err))
		writeRefusal(w, err)
		return
	}
	place, err := l.arrivals.enter(nodeID)
	if err != nil {
		writeRefusal(w, err)
		return
	}
	defer place.leave()

	taken := &hijacked{ResponseWriter: w}
	ws, err := websocket.Accept(taken, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		l.log.InfoContext(ctx, "an agent's WebSocket handshake failed",
			slog.String("node_id", nodeID), slog.Any("error", err))
		return
	}
	// The request's context ends in ways of its own once the connection is taken over.
	ctx = context.WithoutCancel(ctx)
	l.host(newSession(ctx, l, nodeID, remote, ws, taken.conn), place) //nolint:contextcheck // a session carries its own
}

// refuseBrowser refuses requests that a web page caused: no agent sends an Origin.
func refuseBrowser(w http.ResponseWriter, r *http.Request) bool {
	if _, ok := r.Header["Origin"]; !ok {
		return false
	}
	writeRefusal(w, fault.New(fault.Forbidden, "This address is for node agents, not for browsers."))
	return true
}

// offersSubprotocol reports whether the agent speaks this panel's version.
func offersSubprotocol(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offered) == protocol.Subprotocol {
				return true
			}
		}
	}
	return false
}

func versionFault() *fault.Error {
	return fault.New(fault.BadRequest,
		"This panel speaks version %d of the agent protocol (%s), the agent does not. Use an agent of the panel's release.",
		protocol.Version, protocol.Subprotocol)
}

// system returns a context in which Catalyst itself acts.
func (l *Link) system(ctx context.Context, reason string) context.Context {
	return viewer.System(ctx, l.log, reason)
}

// writeRefusal answers with the fault in err, or with an internal one that says nothing of err.
func writeRefusal(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[*fault.Error](err)
	if !ok {
		refusal = fault.New(fault.Internal, "Something went wrong. Try again.")
	}
	status := http.StatusInternalServerError
	switch refusal.Code { //nolint:exhaustive // the others do not arise here, and are internal errors to an agent
	case fault.Unauthenticated:
		w.Header().Set("WWW-Authenticate", protocol.AuthScheme)
		status = http.StatusUnauthorized
	case fault.Forbidden:
		status = http.StatusForbidden
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.BadRequest, fault.BadUserInput:
		status = http.StatusBadRequest
	case fault.Conflict:
		status = http.StatusConflict
	case fault.RateLimited:
		status = http.StatusTooManyRequests
		if seconds := int(refusal.RetryAfter.Seconds()); seconds > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
		}
	case fault.Timeout:
		status = http.StatusServiceUnavailable
	}
	writeError(w, status, refusal)
}

func writeError(w http.ResponseWriter, status int, refusal *fault.Error) {
	writeJSON(w, status, protocol.ErrorResponse{Code: string(refusal.Code), Message: refusal.Message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone, then
}
