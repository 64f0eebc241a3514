package accounts

import (
	"context"
	"crypto/rsa"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/ent/apikey"
	"github.com/catalyst-panel/catalyst/ent/server"
	"github.com/catalyst-panel/catalyst/ent/serveraccess"
	"github.com/catalyst-panel/catalyst/ent/sshkey"
	"github.com/catalyst-panel/catalyst/internal/access"
	"github.com/catalyst-panel/catalyst/internal/audit"
	"github.com/catalyst-panel/catalyst/internal/fault"
	"github.com/catalyst-panel/catalyst/internal/token"
	"github.com/catalyst-panel/catalyst/internal/viewer"
)

const (
	// maxKeys is how many keys of a kind an account may have.
	maxKeys = 100
	// maxNetworks is how many networks an API key may be limited to.
	maxNetworks = 50
	// maxPermissions bounds every list of permissions that is given.
	maxPermissions = 200
	// minRSABits is the shortest RSA key that is taken.
	minRSABits = 2048
)

// CreateAPIKeyInput is what an API key is made of.
type CreateAPIKeyInput struct {
	Name string
	// Permissions is what the key is limited to: never more than the viewer has.
	Permissions []string
	// ExpiresAt ends the key; nil for never.
	ExpiresAt *time.Time
	// AllowedCIDRs are the networks or addresses that it may be used from; none for all.
	AllowedCIDRs []string
}

// CreateAPIKey makes a key and returns it with the key itself, which is shown this once.
func (s *Service) CreateAPIKey(ctx context.Context, in CreateAPIKeyInput) (*ent.ApiKey, string, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, "", err
	}
	name, err := checkLabel("name", in.Name, 128)
	if err != nil {
		return nil, "", err
	}
	permissions, err := checkPermissions("permissions", in.Permissions)
	if err != nil {
		return nil, "", err
	}
	if len(permissions) == 0 {
		return nil, "", fault.Input("permissions", "Name at least one permission: a key without any can do nothing.")
	}
	networks, err := checkNetworks("allowedCidrs", in.AllowedCIDRs)
	if err != nil {
		return nil, "", err
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(s.clock()) {
		return nil, "", fault.Input("expiresAt", "The end of the key must lie in the future.")
	}
	secret := token.NewOpaque(token.PrefixAPIKey)
	var out *ent.ApiKey
	e := audit.Entry{Action: "apikey.create", TargetType: "ApiKey", Details: map[string]any{"permissions": permissions}}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := s.holds(ctx, u, v, permissions); err != nil {
			return err
		}
		count, err := u.ApiKey.Query().Where(apikey.UserID(v.UserID)).Count(ctx)
		if err != nil {
			return fmt.Errorf("count API keys: %w", err)
		}
		if count >= maxKeys {
			return fault.New(fault.QuotaExceeded, "You have %d API keys already. Delete one first.", count)
		}
		create := u.ApiKey.Create().
			SetUserID(v.UserID).SetName(name).SetPrefix(secret.Hint()).SetKeyHash(secret.Hash).
			SetPermissions(permissions).SetAllowedCidrs(networks)
		if in.ExpiresAt != nil {
			create.SetExpiresAt(in.ExpiresAt.UTC().Truncate(time.Microsecond))
		}
		if out, err = create.Save(ctx); err != nil {
			return fmt.Errorf("make an API key: %w", err)
		}
		u.entry.TargetID = out.ID
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return out.Unwrap(), secret.Plain, nil
}

// holds refuses permissions that the viewer has neither everywhere nor on any server.
func (s *Service) holds(ctx context.Context, u unit, v *viewer.Viewer, permissions []string) error {
	var somewhere []string
	looked := false
	for _, p := range permissions {
		if access.Grants(v, access.Permission(p)) {
			continue
		}
		if !looked {
			var err error
			if somewhere, err = s.onSomeServer(ctx, u, v.UserID); err != nil {
				return err
			}
			looked = true
		}
		for _, e := range access.Catalogue() {
			contained := access.Contains([]string{p}, e.Permission)
			held := access.Grants(v, e.Permission) || slices.Contains(somewhere, string(e.Permission))
			if p == access.Everything || contained && !held {
				return fault.New(fault.Forbidden, "You lack the permission %s yourself, so a key of yours cannot have %q.",
					e.Permission, p)
			}
		}
	}
	return nil
}

// onSomeServer returns the permissions that an account has on at least one server.
func (s *Service) onSomeServer(ctx context.Context, u unit, userID string) ([]string, error) {
	sys := s.asSystem(ctx, "what an account may do on any server")
	owner, err := u.Server.Query().Where(server.OwnerID(userID), server.DeletedAtIsNil()).Exist(sys)
	if err != nil {
		return nil, fmt.Errorf("look for servers of an account: %w", err)
	}
	out := []string{}
	if owner {
		for _, p := range access.ServerLevel() {
			out = append(out, string(p))
		}
		return out, nil
	}
	rows, err := u.ServerAccess.Query().Where(serveraccess.UserID(userID)).All(sys)
	if err != nil {
		return nil, fmt.Errorf("look for server accesses of an account: %w", err)
	}
	for _, row := range rows {
		out = append(out, row.Permissions...)
	}
	return out, nil
}

// DeleteAPIKey ends one of the viewer's own keys and returns its identifier.
func (s *Service) DeleteAPIKey(ctx context.Context, id string) (string, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return "", err
	}
	e := audit.Entry{Action: "apikey.delete", TargetType: "ApiKey", TargetID: id}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := u.ApiKey.DeleteOneID(id).Where(apikey.UserID(v.UserID)).Exec(ctx); err != nil {
			return missing(err, "API key")
		}
		s.Announce(ctx, AccessChange{UserID: v.UserID})
		return nil
	})
	return id, err
}

// AddSSHKeyInput is what an SSH key is made of.
type AddSSHKeyInput struct {
	// Name is what it is called; the key's own comment when empty.
	Name string
	// PublicKey is one line in the format of authorized_keys.
	PublicKey string
}

// AddSSHKey stores a public key of the viewer.
func (s *Service) AddSSHKey(ctx context.Context, in AddSSHKeyInput) (*ent.SshKey, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	key, comment, err := parseSSHKey("publicKey", in.PublicKey)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(in.Name) == "" {
		in.Name = comment
	}
	name, err := checkLabel("name", in.Name, 128)
	if err != nil {
		return nil, err
	}
	fingerprint := ssh.FingerprintSHA256(key)
	var out *ent.SshKey
	e := audit.Entry{Action: "sshkey.add", TargetType: "SshKey", Details: map[string]any{"fingerprint": fingerprint}}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		mine, err := u.SshKey.Query().Where(sshkey.UserID(v.UserID)).All(ctx)
		if err != nil {
			return fmt.Errorf("look up SSH keys: %w", err)
		}
		if slices.ContainsFunc(mine, func(k *ent.SshKey) bool { return k.Fingerprint == fingerprint }) {
			return fault.New(fault.Conflict, "You have this SSH key already.")
		}
		if len(mine) >= maxKeys {
			return fault.New(fault.QuotaExceeded, "You have %d SSH keys already. Delete one first.", len(mine))
		}
		out, err = u.SshKey.Create().
			SetUserID(v.UserID).SetName(name).SetFingerprint(fingerprint).
			SetPublicKey(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))).
			Save(ctx)
		if err != nil {
			return fmt.Errorf("store an SSH key: %w", err)
		}
		u.entry.TargetID = out.ID
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out.Unwrap(), nil
}

// DeleteSSHKey removes one of the viewer's own public keys and returns its identifier.
func (s *Service) DeleteSSHKey(ctx context.Context, id string) (string, error) {
	v, err := inPerson(ctx)
	if err != nil {
		return "", err
	}
	e := audit.Entry{Action: "sshkey.delete", TargetType: "SshKey", TargetID: id}
	err = s.verb(ctx, e, func(ctx context.Context, u unit) error {
		if err := u.SshKey.DeleteOneID(id).Where(sshkey.UserID(v.UserID)).Exec(ctx); err != nil {
			return missing(err, "SSH key")
		}
		s.Announce(ctx, AccessChange{UserID: v.UserID})
		return nil
	})
	return id, err
}

// parseSSHKey reads one public key.
func parseSSHKey(field, line string) (ssh.PublicKey, string, error) {
	if len(line) > 16<<10 {
		return nil, "", fault.Input(field, "This is too long for a public key.")
	}
	if strings.Contains(line, "PRIVATE KEY") {
		return nil, "", fault.Input(field, "This is a private key. Keep it secret, and give the public one, which ends in .pub.")
	}
	key, comment, _, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil || strings.TrimSpace(string(rest)) != "" {
		return nil, "", fault.Input(field, "This is not one public key in the format of authorized_keys, such as: ssh-ed25519 AAAA… name.")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKECDSA256:
		return key, comment, nil
	case ssh.KeyAlgoRSA:
		if rsaBits(key) >= minRSABits {
			return key, comment, nil
		}
		return nil, "", fault.Input(field, "This RSA key is too short: use Ed25519, or RSA with at least %d bits.", minRSABits)
	default:
		return nil, "", fault.Input(field, "Keys of the type %s are not taken: use Ed25519, ECDSA or RSA.", key.Type())
	}
}

// rsaBits returns the length of an RSA key, 0 for another.
func rsaBits(key ssh.PublicKey) int {
	wrapper, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	public, ok := wrapper.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return public.N.BitLen()
}

// checkPermissions returns the list sorted, each once.
func checkPermissions(field string, list []string) ([]string, error) {
	if len(list) > maxPermissions {
		return nil, fault.Input(field, "These are more permissions than there are.")
	}
	if err := access.Validate(field, list); err != nil {
		return nil, err
	}
	out := append([]string{}, list...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

// checkNetworks returns the networks in their canonical form; an address is the network of itself.
func checkNetworks(field string, list []string) ([]string, error) {
	if len(list) > maxNetworks {
		return nil, fault.Input(field, "At most %d networks can be named.", maxNetworks)
	}
	out := []string{}
	for _, text := range list {
		network, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			addr, addrErr := netip.ParseAddr(strings.TrimSpace(text))
			if addrErr != nil || addr.Zone() != "" {
				return nil, fault.Input(field, "This is neither an address nor a network. Write it like 192.0.2.7 or 2001:db8::/32.")
			}
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, network.Masked().String())
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
