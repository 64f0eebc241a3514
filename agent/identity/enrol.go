package identity

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

// maxAnswer bounds what is read of a panel's answer.
const maxAnswer = 64 << 10

// RefusedError is a panel's refusal, in its own words.
type RefusedError struct {
	// Status is the HTTP status.
	Status int
	// Code and Message are the panel's, or empty when it was no panel that answered.
	Code, Message string
}

// Error says what the panel said, and what to check when it said nothing readable.
func (e *RefusedError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the panel's address answered HTTP status %d: check that the URL is that of a Catalyst panel", e.Status)
	}
	return fmt.Sprintf("the panel refused (%s): %s", e.Code, e.Message)
}

// Refused reads a refusal from an HTTP response; the caller closes the body.
func Refused(resp *http.Response) *RefusedError {
	refused := &RefusedError{Status: resp.StatusCode}
	var body protocol.ErrorResponse
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&body); err == nil {
		refused.Code, refused.Message = short(body.Code), short(body.Message)
	}
	return refused
}

// maxMessage is how much of a refusal is repeated, in bytes: whatever answers at the panel's address need not be a panel.
const maxMessage = 512

func short(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxMessage)], "")
}

// Enrol exchanges a one-time token for an identity and stores it in the agent's directory. Nothing is stored when the
// panel refuses.
func Enrol(ctx context.Context, client *http.Client, panel *url.URL, token, dir string) (*Identity, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	body, err := json.Marshal(protocol.EnrolRequest{Token: token, PublicKey: public, Versions: []int{protocol.Version}})
	if err != nil {
		return nil, fmt.Errorf("encode enrolment: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, panel.JoinPath(protocol.EnrolPath).String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("enrol: %w", Refused(resp))
	}
	var answer protocol.EnrolResponse
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("enrol: read the panel's answer: %w", err)
	}
	if !kind.ValidID(kind.PrefixNode, answer.NodeID) {
		return nil, errors.New("enrol: the panel's answer names no node")
	}
	if answer.Version != protocol.Version {
		return nil, fmt.Errorf("enrol: the panel speaks version %d of the agent protocol, this agent version %d: install matching releases",
			answer.Version, protocol.Version)
	}
	identity := &Identity{nodeID: answer.NodeID, key: private}
	if err := identity.save(dir); err != nil {
		return nil, fmt.Errorf("store node identity: %w", err)
	}
	return identity, nil
}
