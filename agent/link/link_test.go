package link_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/catalyst-panel/catalyst/agent/link"
)

// hanging is a panel that takes requests and never answers.
type hanging struct{ requests int }

func (h *hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	h.requests++
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// TestPanelThatHangs is asked less and less often: the time that an attempt took is no life of a link.
func TestPanelThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		panel := &hanging{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		link.New(link.Config{
			Panel: &url.URL{Scheme: "http", Host: "panel.example"}, Client: &http.Client{Transport: panel},
			Logger: slog.New(slog.DiscardHandler),
		}).Run(ctx)
		// An attempt takes 15 seconds, and a pause 15 more in the mean: 120 in an hour, and 235 without the pauses.
		if panel.requests < 60 || panel.requests > 180 {
			t.Errorf("asked %d times in an hour", panel.requests)
		}
	})
}
