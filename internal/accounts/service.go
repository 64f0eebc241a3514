package accounts

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/kind"
	"github.com/catalyst-panel/catalyst/internal/ratelimit"
	"github.com/catalyst-panel/catalyst/internal/request"
	"github.com/catalyst-panel/catalyst/internal/seal"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

// DefaultPasswordCost is bcrypt's cost unless the Config says otherwise: about a quarter of a second.
const DefaultPasswordCost = 12

// maxUserAgent is the width of the column.
const maxUserAgent = 512

// The checks of credentials that are counted.
const (
	checkLogin    = "login"
	checkRegister = "register"
	checkRefresh  = "refresh"
)

// Limiter counts calls per key. ratelimit.Limiter is one.
type Limiter interface {
	// Allow counts a call, or says how long the key has to wait.
	Allow(key string) (retryAfter time.Duration, ok bool)
}

// Config is what the service needs.
type Config struct {
	// Client is the database.
	Client *ent.Client
	// Tokens signs access tokens.
	Tokens *token.Signer
	// Bus carries AccessChanged.
	Bus *bus.Bus
	// Logger takes what nobody asked for.
	Logger *slog.Logger
	// AllowRegistration lets anybody make an account.
	AllowRegistration bool
	// Limiter bounds credential checks per account and address, AddressLimiter those of all accounts per address; nil
	// bounds nothing.
	Limiter, AddressLimiter Limiter
	// Secrets keeps the secrets of second factors.
	Secrets *seal.Box
	// PasswordCost is bcrypt's cost; DefaultPasswordCost when zero.
	PasswordCost int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Service implements the verbs of this package. It is safe for concurrent use.
type Service struct {
	client       *ent.Client
	tokens       *token.Signer
	bus          *bus.Bus
	log          *slog.Logger
	registration bool
	perAccount   Limiter
	perAddress   Limiter
	secrets      *seal.Box
	passwords    *hasher
	clock        func() time.Time
	standings    *standings
	watchers     *watchers
}

// New returns a Service.
func New(c Config) (*Service, error) {
	if c.Client == nil || c.Tokens == nil || c.Bus == nil || c.Secrets == nil {
		return nil, errors.New("accounts: a database client, a token signer, a bus and a box for secrets are needed")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.PasswordCost == 0 {
		c.PasswordCost = DefaultPasswordCost
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PasswordCost < bcrypt.MinCost || c.PasswordCost > bcrypt.MaxCost {
		return nil, errors.New("accounts: the password cost is out of bcrypt's range")
	}
	return &Service{
		client:       c.Client,
		tokens:       c.Tokens,
		bus:          c.Bus,
		log:          c.Logger,
		registration: c.AllowRegistration,
		perAccount:   c.Limiter,
		perAddress:   c.AddressLimiter,
		secrets:      c.Secrets,
		passwords:    newHasher(c.PasswordCost, runtime.GOMAXPROCS(0)),
		clock:        c.Now,
		standings:    newStandings(c.Now),
		watchers:     newWatchers(),
	}, nil
}

// now returns the time in the precision that both databases keep.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// unit is one unit of work of a verb.
type unit struct {
	*ent.Tx
	// entry becomes the verb's entry in the audit trail; without an action there will be none.
	entry *audit.Entry
}

// do runs fn as a unit of work and puts what came of it into the audit trail: a success together with the work, a
// refusal for want of a permission apart from it.
func (s *Service) do(ctx context.Context, e audit.Entry, fn func(ctx context.Context, u unit) error) error {
	err := s.trail().Do(ctx, e, func(ctx context.Context, t *ent.Tx, e *audit.Entry) error {
		return fn(ctx, unit{Tx: t, entry: e})
	})
	if ent.IsConstraintError(err) {
		return fault.New(fault.Conflict, "Somebody else changed the same thing. Look at it again and repeat.").Wrap(err)
	}
	return err
}

func (s *Service) trail() audit.Trail { return audit.Trail{Client: s.client, Logger: s.log} }

// verb is do for what nobody anonymous may do: they do not even get to open a transaction.
func (s *Service) verb(ctx context.Context, e audit.Entry, fn func(ctx context.Context, u unit) error) error {
	if viewer.FromContext(ctx) == nil {
		return anonymous()
	}
	return s.do(ctx, e, fn)
}

// recordApart records what did not happen. The caller's answer does not depend on it.
func (s *Service) recordApart(ctx context.Context, e audit.Entry) { s.trail().Apart(ctx, e) }

// asSystem returns a context that sees what the viewer may not. It is for reads that a verb needs; what they find is
// not shown.
func (s *Service) asSystem(ctx context.Context, reason string) context.Context {
	return viewer.System(ctx, s.log, reason)
}

// signedIn returns the viewer, who is a person.
func signedIn(ctx context.Context) (*viewer.Viewer, error) {
	v := viewer.FromContext(ctx)
	if v == nil || v.IsSystem() {
		return nil, anonymous()
	}
	return v, nil
}

func anonymous() *fault.Error {
	return fault.New(fault.Unauthenticated, "Sign in first: send an access token or an API key.")
}

// inPerson returns the viewer, who has signed in with a password: an API key does not change the account it acts for.
func inPerson(ctx context.Context) (*viewer.Viewer, error) {
	v, err := signedIn(ctx)
	if err != nil {
		return nil, err
	}
	if v.KeyID != "" || v.Limit != nil {
		return nil, fault.New(fault.Forbidden, "An API key cannot change the account it belongs to. Sign in with the password.")
	}
	return v, nil
}

// limit counts one check of a credential: for the account, or what was given for one, from the caller's address, and for
// the address, so that nobody tries one password on many accounts. Refreshes count for their session alone: many people
// who share an address refresh all the time, and a family cannot be guessed.
func (s *Service) limit(ctx context.Context, what, account string) error {
	ip, _ := origin(ctx)
	from := ratelimit.AddrKey(ip)
	err := allow(s.perAccount, what+"|"+token.Hash(account)+"|"+from) // what somebody typed has any length
	if err != nil || what == checkRefresh {
		return err
	}
	return allow(s.perAddress, from)
}

func allow(l Limiter, key string) error {
	if l == nil {
		return nil
	}
	if wait, ok := l.Allow(key); !ok {
		return fault.Limited(wait, "Too many attempts. Wait %s and try again.", wait.Round(time.Second))
	}
	return nil
}

// whole returns a NOT_FOUND fault for an identifier that cannot be one of the kind that p names.
func whole(p kind.Prefix, id, noun string) error {
	if !kind.ValidID(p, id) {
		return fault.Missing(noun)
	}
	return nil
}

// missing turns a row that is not there into the NOT_FOUND fault for the noun.
func missing(err error, noun string) error {
	if ent.IsNotFound(err) {
		return fault.Missing(noun)
	}
	return err
}

// origin returns where the request comes from. On a long-lived connection that is where the viewer signed in.
func origin(ctx context.Context) (ip netip.Addr, userAgent string) {
	info := request.FromContext(ctx)
	ip, userAgent = info.IP, info.UserAgent
	if v := viewer.FromContext(ctx); v != nil && v.IP.IsValid() {
		ip, userAgent = v.IP, v.UserAgent
	}
	return ip.Unmap().WithZone(""), userAgent
}

// address returns the caller's address as it is stored.
func address(ctx context.Context) string {
	ip, _ := origin(ctx)
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// program returns the caller's program as it is stored.
func program(ctx context.Context) string {
	_, agent := origin(ctx)
	if len(agent) > maxUserAgent {
		agent = agent[:maxUserAgent]
	}
	return strings.ToValidUTF8(agent, "")
}
