// Package viewer says on whose behalf code runs: it carries the caller through a context. What the caller may do is
// decided in package access.
package viewer

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
)

// Viewer is one caller: a person (or a program with that person's API key), or Catalyst itself.
type Viewer struct {
	// UserID is the TypeID of the person; empty for the system.
	UserID string
	// Username is the person's name for logs and the audit trail.
	Username string
	// Permissions are the global permission strings that the person's roles give ("server.read", "server.*", "*").
	Permissions []string
	// Limit, when not nil, is the list of permissions that the credential is limited to (an API key's scope):
	// whatever the roles and server accesses give, nothing outside of it is granted.
	Limit []string
	// SessionID or KeyID name the credential, so that its revocation ends what it opened.
	SessionID, KeyID string
	// SSHKeyID names the SSH key that the session was opened with, if it was: it ends with the key.
	SSHKeyID string
	// IP and UserAgent are the caller's address and program, for the audit log and the limits.
	IP        netip.Addr
	UserAgent string
	// RequestID is the id that every log line of the request carries.
	RequestID string

	system string
}

type key struct{}

// NewContext returns a context in which v is the caller.
func NewContext(ctx context.Context, v *Viewer) context.Context {
	return context.WithValue(ctx, key{}, v)
}

// FromContext returns the caller, or nil for an anonymous one.
func FromContext(ctx context.Context) *Viewer {
	v, _ := ctx.Value(key{}).(*Viewer)
	return v
}

// System returns a context in which Catalyst itself is the caller, for the reason given. It is the only way past the
// visibility rules; every use is logged at debug level when the logger is not nil.
func System(ctx context.Context, log *slog.Logger, reason string) context.Context {
	if log != nil {
		log.DebugContext(ctx, "acting as the system", slog.String("reason", reason))
	}
	return NewContext(ctx, &Viewer{system: reason})
}

// IsSystem reports whether the caller is Catalyst itself.
func (v *Viewer) IsSystem() bool { return v != nil && v.system != "" }

// Clone returns a copy that can be changed without touching v.
func (v *Viewer) Clone() *Viewer {
	c := *v
	c.Permissions = slices.Clone(v.Permissions)
	c.Limit = slices.Clone(v.Limit)
	return &c
}
