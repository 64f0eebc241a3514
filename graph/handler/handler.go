package handler

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/catalyst-panel/catalyst/graph/guard"
	"github.com/catalyst-panel/catalyst/graph/present"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// Accounts says who calls. accounts.Service is one.
type Accounts interface {
	// Authenticate turns an Authorization header into the viewer and the end of the credential, the zero time when it
	// has none. The viewer of no header is nil.
	Authenticate(ctx context.Context, header string, remote netip.Addr, userAgent string) (*viewer.Viewer, time.Time, error)
	// Refresh returns the viewer in ctx as it is now, or why it is none any more.
	Refresh(ctx context.Context) (*viewer.Viewer, error)
	// Changes returns a channel that receives when a user's rights may have changed, until ctx ends.
	Changes(ctx context.Context, userID string) (<-chan struct{}, error)
}

// Limiter counts operations per key. ratelimit.Limiter is one.
type Limiter interface {
	Allow(key string) (retryAfter time.Duration, ok bool)
}

// Config is what a Handler needs.
type Config struct {
	// Schema executes operations.
	Schema graphql.ExecutableSchema
	// Accounts says who calls.
	Accounts Accounts
	// Presenter shows errors.
	Presenter *present.Presenter
	// Logger takes what goes wrong with connections.
	Logger *slog.Logger
	// Limits of one operation; guard.Default when zero.
	Limits guard.Limits
	// Unlimited lifts what is counted over time and over connections: costs, operations per user, numbers of sockets.
	Unlimited bool
	// Operations limits the operations of each user, whatever their transport; nil for no limit.
	Operations Limiter
	// Costs is the budget of each user, whatever the transport; nil for none.
	Costs guard.Budget
	// Observe, when not nil, is told of every query and mutation that has been answered: the type, the first field of the
	// root, and the code of the first error, if there is one.
	Observe func(kind, field, code string, took time.Duration)
	// Sockets are the limits of WebSockets; the documented ones where zero.
	Sockets Sockets
}

// Sockets holds the limits of WebSockets.
type Sockets struct {
	// PerAddress and PerUser are how many may be open at once: 200 and 100.
	PerAddress, PerUser int
	// Subscriptions is how many operations may run on one: 100.
	Subscriptions int
	// InitTimeout is how long a client may take to say who it is: 10 s.
	InitTimeout time.Duration
	// PingInterval is how often a client is asked whether it is there: 25 s. It has as long again to answer.
	PingInterval time.Duration
	// WriteTimeout is how long one message may take to be written: 10 s. A client that reads slower is cut off.
	WriteTimeout time.Duration
}

const (
	maxBody          = 1 << 20
	operationTimeout = 30 * time.Second
	// uploadTimeout is the limit where files come with the operation; their bytes have to keep up a minimum speed.
	uploadTimeout = time.Hour
	maxErrors     = 20
)

// Handler is the GraphQL endpoint.
type Handler struct {
	config  Config
	exec    *executor.Executor
	sockets *sockets
}

// New returns a handler.
func New(c Config) *Handler {
	if c.Limits == (guard.Limits{}) {
		c.Limits = guard.Default()
	}
	known := newDocuments()
	exec := executor.New(c.Schema)
	exec.SetQueryCache(known)
	exec.SetParserTokenLimit(c.Limits.Tokens + 1)
	exec.SetErrorPresenter(c.Presenter.Present)
	exec.SetRecoverFunc(c.Presenter.Recover)
	// Suggestions tell strangers what the schema has, and cost a comparison with every name in it.
	exec.SetDisableSuggestion(true)
	exec.Use(counter{operations: c.Operations, off: c.Unlimited})
	exec.Use(persisted{newTexts()})
	exec.Use(guard.New(c.Limits, known, c.Costs, c.Unlimited))
	exec.AroundOperations(observe(c.Observe))
	exec.AroundOperations(timeLimit)
	h := &Handler{config: c, exec: exec}
	h.sockets = newSockets(h)
	exec.AroundOperations(h.sockets.refresh)
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		h.sockets.serve(w, r)
		return
	}
	a, ok := negotiate(r)
	if !ok {
		h.refuse(w, r, a, http.StatusNotAcceptable, fault.New(fault.BadRequest,
			"Accept application/json, application/graphql-response+json, or text/event-stream for subscriptions."))
		return
	}
	params, refused := h.read(w, r)
	if refused != nil {
		h.refuse(w, r, a, refused.status, refused.fault)
		return
	}
	ctx := graphql.StartOperationTrace(r.Context())
	ctx, ends, err := h.authenticate(ctx, r.Header.Get("Authorization"))
	switch {
	case err == nil && hasFiles(r.Header) && viewer.FromContext(ctx) == nil:
		h.refuse(w, r, a, http.StatusUnauthorized, fault.New(fault.Unauthenticated, "Sign in to send files."))
	case err != nil:
		h.stale(ctx, w, r, a, params, err)
	case a.stream:
		h.counted(ctx, w, r, a, func() { h.stream(ctx, w, r, params, ends) })
	default:
		h.single(ctx, w, r, a, params)
	}
}

// stale answers a request whose credential is not good. Clients send the one they have with everything: asking for a new
// one must be possible with an old one in the header.
func (h *Handler) stale(ctx context.Context, w http.ResponseWriter, r *http.Request, a acceptance, params *graphql.RawParams, err error) {
	if fault.CodeOf(err) == fault.Unauthenticated && !a.stream {
		op, list := h.exec.CreateOperationContext(ctx, params)
		if len(list) == 0 && signsIn(op.Operation) {
			h.execute(graphql.WithOperationContext(ctx, op), w, r, a, op)
			return
		}
	}
	h.answer(w, a, h.exec.DispatchError(ctx, listOf(h.config.Presenter.Present(ctx, err))))
}

// signsIn reports whether an operation does nothing but ask for a credential.
func signsIn(op *ast.OperationDefinition) bool {
	if op.Operation != ast.Mutation {
		return false
	}
	for _, s := range op.SelectionSet {
		field, ok := s.(*ast.Field)
		if !ok {
			return false
		}
		switch field.Name {
		case "login", "refreshSession":
		default:
			return false
		}
	}
	return true
}

// hasFiles reports whether a request is a form.
func hasFiles(header http.Header) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && media == mediaForm
}

// authenticate puts the caller into the context.
func (h *Handler) authenticate(ctx context.Context, header string) (context.Context, time.Time, error) {
	info := request.FromContext(ctx)
	v, ends, err := h.config.Accounts.Authenticate(ctx, header, info.IP, info.UserAgent)
	if err != nil || v == nil {
		return ctx, ends, err
	}
	v.RequestID = info.ID
	return viewer.NewContext(ctx, v), ends, nil
}

// timeLimit gives queries and mutations a time limit.
func timeLimit(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation == subscription {
		return next(ctx)
	}
	limit := operationTimeout
	if hasFiles(graphql.GetOperationContext(ctx).Headers) {
		limit = uploadTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	respond := next(ctx)
	return func(ctx context.Context) *graphql.Response {
		defer cancel()
		return respond(ctx)
	}
}
