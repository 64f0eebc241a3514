package containerd

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
)

// dockerHub is what the file of credentials calls the registry that others know as registry-1.docker.io.
const dockerHub = "https://index.docker.io/v1/"

// registries says how registries are reached: by HTTPS, but for those of this very machine, with the credentials of
// exactly that host.
func (r *Runtime) registries() docker.RegistryHosts {
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthCreds(func(host string) (user, secret string, err error) {
		return credentials(r.config.Credentials, host)
	}))
	return docker.ConfigureDefaultRegistries(docker.WithAuthorizer(authorizer), docker.WithPlainHTTP(docker.MatchLocalhost))
}

// credentials looks up a host in a file as `docker login` writes it. It is read at each pull, so that a change needs no
// restart. A host that is not in it, with its port, gets none.
func credentials(file, host string) (user, secret string, err error) {
	if file == "" {
		return "", "", nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read registry credentials: %w", err)
	}
	var config struct {
		Auths map[string]struct {
			Auth, Username, Password, IdentityToken string
		} `json:"auths"`
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return "", "", errors.New("The file of registry credentials is not valid JSON.") // its content stays out of logs
	}
	key := host
	if host == "registry-1.docker.io" {
		key = dockerHub
	}
	entry, ok := config.Auths[key]
	switch {
	case !ok:
		return "", "", nil
	case entry.IdentityToken != "":
		return "", entry.IdentityToken, nil
	case entry.Username != "":
		return entry.Username, entry.Password, nil
	}
	plain, err := base64.StdEncoding.DecodeString(entry.Auth)
	if err != nil {
		return "", "", fmt.Errorf("The credentials for the registry %s are not valid.", host)
	}
	user, secret, _ = strings.Cut(string(plain), ":")
	return user, strings.TrimRight(secret, "\x00"), nil
}
