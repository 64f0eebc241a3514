package webhooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/catalyst-panel/catalyst/ent"
	"github.com/catalyst-panel/catalyst/internal/egress"
	"github.com/catalyst-panel/catalyst/internal/kind"
)

const (
	// maxAnswer is how much of an answer is read.
	maxAnswer = 4 << 10
	// maxText is the longest text in a message for people.
	maxText = 1500
)

// The headers of a request.
const (
	HeaderEvent     = "X-Catalyst-Event"
	HeaderDelivery  = "X-Catalyst-Delivery"
	HeaderTimestamp = "X-Catalyst-Timestamp"
	HeaderSignature = "X-Catalyst-Signature"
)

// Sign returns the value of the header of a signature: HMAC-SHA256 over the timestamp, a full stop and the body.
func Sign(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// outcome is how one try ended.
type outcome struct {
	status  int
	latency time.Duration
	err     error
}

func (o outcome) accepted() bool { return o.err == nil && o.status/100 == 2 }

// reason says why it was not accepted.
func (o outcome) reason() string {
	switch {
	case errors.Is(o.err, egress.ErrForbidden):
		return "The address is not a public one. An operator can allow networks of their own with --egress-allow."
	case errors.Is(o.err, context.DeadlineExceeded):
		return "There was no answer in time."
	case o.err != nil:
		text := o.err.Error()
		return strings.ToValidUTF8(text[:min(len(text), 500)], "")
	case o.status/100 == 3:
		return "The address redirects to another one, which is not followed: give the other one."
	}
	return fmt.Sprintf("The answer was %d.", o.status)
}

// request makes one try.
func (s *Service) request(ctx context.Context, hook *ent.Webhook, d *ent.WebhookDelivery, now time.Time) outcome {
	body, err := encode(hook.Format, d)
	if err != nil {
		return outcome{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{err: err}
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Catalyst-Webhook/1")
	req.Header.Set(HeaderEvent, d.Event)
	req.Header.Set(HeaderDelivery, d.ID)
	req.Header.Set(HeaderTimestamp, timestamp)
	if hook.Secret != nil {
		secret, err := s.Secrets.Open(*hook.Secret, hook.ID)
		if err != nil {
			return outcome{err: fmt.Errorf("sign: %w", err)}
		}
		req.Header.Set(HeaderSignature, Sign(secret, timestamp, body))
	}
	begun := time.Now()
	res, err := s.HTTP.Do(req)
	if err != nil {
		return outcome{latency: time.Since(begun), err: err}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // what it says does not matter
	_ = res.Body.Close()
	return outcome{status: res.StatusCode, latency: time.Since(begun)}
}

// encode writes a delivery in the format of its webhook.
func encode(format kind.WebhookFormat, d *ent.WebhookDelivery) ([]byte, error) {
	switch format {
	case kind.WebhookFormatDiscord:
		return json.Marshal(map[string]any{
			"username": "Catalyst", "allowed_mentions": map[string]any{"parse": []string{}},
			"embeds": []any{map[string]any{
				"title": title(d), "description": sentence(d), "timestamp": d.Payload["at"], "color": color(d.Event),
			}},
		})
	case kind.WebhookFormatSlack:
		escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
		return json.Marshal(map[string]any{"text": "*" + escape.Replace(title(d)) + "*\n" + escape.Replace(sentence(d))})
	case kind.WebhookFormatJSON:
	}
	whole := map[string]any{"id": d.ID}
	maps.Copy(whole, d.Payload)
	return json.Marshal(whole)
}

// title names the event and what it is about.
func title(d *ent.WebhookDelivery) string {
	parts := []string{d.Event}
	for _, key := range []string{"server", "node", "user"} {
		if about, ok := d.Payload[key].(map[string]any); ok {
			if name, ok := about["name"].(string); ok && name != "" {
				parts = append(parts, name)
			}
		}
	}
	return strings.Join(parts, " · ")
}

// sentence says what has happened.
func sentence(d *ent.WebhookDelivery) string {
	text, _ := d.Payload["text"].(string)
	if actor, ok := d.Payload["actor"].(string); ok && actor != "" {
		text = strings.TrimSpace(text + "\nBy " + actor + ".")
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// color is green for what is well, red for what is not.
func color(event string) int {
	switch event {
	case "alert.raise", "server.crash", "node.offline":
		return 0xd83a3a
	case "alert.resolve", "node.online":
		return 0x3aa655
	}
	return 0x3a6ad8
}
