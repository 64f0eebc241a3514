package accounts

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/apikey"
	"github.com/catalyst-panel/catalyst/ent/session"
	"github.com/catalyst-panel/catalyst/ent/user"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// standingAge is how long a standing may be believed without asking the database.
	standingAge = time.Second
	// maxStandings bounds how many are remembered.
	maxStandings = 8192
)

// standing is what the database says of one credential, a session or an API key. It is shared and never changed.
type standing struct {
	// gone is set when the credential does not exist any more, or was revoked.
	gone bool
	// credential is the identifier of the session or the key.
	credential string
	userID     string
	username   string
	suspended  bool
	version    int
	// permissions are those of all roles together, sorted.
	permissions []string
	// expires is the end of the credential; zero for none.
	expires time.Time

	// The rest is of API keys only: limit is not nil, networks may be empty.
	limit    []string
	networks []netip.Prefix
	lastUsed time.Time
}

// standings remembers standings for a moment, so that one subscription's thousand events ask the database once.
type standings struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]remembered
	// uses has the last noted use of API keys, by their identifier.
	uses map[string]time.Time
	// forgets counts the calls of forget: what was read while one came in is not remembered.
	forgets uint64
}

type remembered struct {
	*standing
	at time.Time
}

func newStandings(now func() time.Time) *standings {
	return &standings{now: now, known: make(map[string]remembered), uses: make(map[string]time.Time)}
}

// get returns what is remembered under key, or loads it.
func (c *standings) get(key string, load func() (*standing, error)) (*standing, error) {
	c.mu.Lock()
	found, ok := c.known[key]
	forgets := c.forgets
	c.mu.Unlock()
	if ok && c.fresh(found) {
		return found.standing, nil
	}
	at := c.now()
	loaded, err := load()
	if err != nil || loaded.gone {
		return loaded, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgets == forgets {
		c.makeRoom()
		c.known[key] = remembered{standing: loaded, at: at}
	}
	return loaded, nil
}

func (c *standings) fresh(r remembered) bool {
	age := c.now().Sub(r.at)
	return age >= 0 && age < standingAge
}

// claimUse reports whether the caller is the first to note a use of the key that is remembered, and notes it.
func (c *standings) claimUse(key *standing, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Sub(c.uses[key.credential]) < usedEvery {
		return false
	}
	if len(c.uses) >= maxStandings {
		clear(c.uses)
	}
	c.uses[key.credential] = at
	return true
}

// makeRoom drops what is too old when the table is full, and everything when that is not enough.
func (c *standings) makeRoom() {
	if len(c.known) < maxStandings {
		return
	}
	for key, r := range c.known {
		if !c.fresh(r) {
			delete(c.known, key)
		}
	}
	if len(c.known) >= maxStandings {
		clear(c.known)
	}
}

// forget drops what is remembered of one account, or of everybody.
func (c *standings) forget(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgets++
	for key, r := range c.known {
		if userID == "" || r.userID == userID {
			delete(c.known, key)
		}
	}
}

// ofSession returns the standing of a session.
func (s *Service) ofSession(ctx context.Context, id string) (*standing, error) {
	return s.standings.get(id, func() (*standing, error) {
		ctx := s.asSystem(ctx, "authenticate a session")
		row, err := s.client.Session.Query().
			Where(session.ID(id), session.RevokedAtIsNil()).
			WithUser(func(q *ent.UserQuery) { q.WithRoles() }).
			Only(ctx)
		if ent.IsNotFound(err) {
			return &standing{gone: true}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look up a session: %w", err)
		}
		out := ofUser(row.Edges.User)
		out.credential, out.expires = row.ID, row.ExpiresAt
		return out, nil
	})
}

// ofKey returns the standing of an API key, by the key's hash or by its identifier.
func (s *Service) ofKey(ctx context.Context, hash, id string) (*standing, error) {
	return s.standings.get(hash+id, func() (*standing, error) {
		ctx := s.asSystem(ctx, "authenticate an API key")
		by := apikey.KeyHash(hash)
		if hash == "" {
			by = apikey.ID(id)
		}
		row, err := s.client.ApiKey.Query().Where(by).
			WithUser(func(q *ent.UserQuery) { q.WithRoles() }).
			Only(ctx)
		if ent.IsNotFound(err) {
			return &standing{gone: true}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look up an API key: %w", err)
		}
		return keyStanding(row)
	})
}

func keyStanding(row *ent.ApiKey) (*standing, error) {
	out := ofUser(row.Edges.User)
	out.credential = row.ID
	out.limit = append([]string{}, row.Permissions...)
	if row.ExpiresAt != nil {
		out.expires = *row.ExpiresAt
	}
	if row.LastUsedAt != nil {
		out.lastUsed = *row.LastUsedAt
	}
	for _, cidr := range row.AllowedCidrs {
		network, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, fmt.Errorf("read the networks of an API key: %w", err)
		}
		out.networks = append(out.networks, network)
	}
	return out, nil
}

func ofUser(u *ent.User) *standing {
	return &standing{
		userID: u.ID, username: u.Username, suspended: u.Suspended, version: u.TokenVersion,
		permissions: permissionsOf(u.Edges.Roles),
	}
}

// permissionsOf returns the permission strings of roles, sorted, each once.
func permissionsOf(roles []*ent.Role) []string {
	out := []string{}
	for _, r := range roles {
		out = append(out, r.Permissions...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Author returns the viewer that an account is without having signed in: for what Catalyst does in its name. NOT_FOUND for
// an account that is gone, UNAUTHENTICATED for one that is suspended.
func (s *Service) Author(ctx context.Context, userID string) (*viewer.Viewer, error) {
	row, err := s.client.User.Query().Where(user.ID(userID)).WithRoles().Only(s.asSystem(ctx, "act in somebody's name"))
	if err != nil {
		return nil, missing(err, "user")
	}
	now := ofUser(row)
	if now.suspended {
		return nil, fault.New(fault.Unauthenticated, "The account %s is suspended.", now.username)
	}
	v := &viewer.Viewer{}
	fill(v, now)
	return v, nil
}
