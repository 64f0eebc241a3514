package request_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/catalyst-panel/catalyst/internal/request"
)

func TestContextCarriesInfo(t *testing.T) {
	t.Parallel()
	if got := request.FromContext(t.Context()); got != (request.Info{}) {
		t.Errorf("outside of a request: %+v", got)
	}
	want := request.Info{ID: "abc", IP: netip.MustParseAddr("192.0.2.7"), UserAgent: "curl"}
	if got := request.FromContext(request.NewContext(t.Context(), want)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLogHandlerAddsTheID(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(request.LogHandler(slog.NewJSONHandler(&out, nil))).With(slog.String("part", "test"))

	decode := func() map[string]any {
		t.Helper()
		line := map[string]any{}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("log line %q: %v", out.String(), err)
		}
		out.Reset()
		return line
	}

	log.InfoContext(request.NewContext(t.Context(), request.Info{ID: "r1"}), "inside")
	if line := decode(); line["request_id"] != "r1" || line["part"] != "test" {
		t.Errorf("inside a request: %v", line)
	}
	log.InfoContext(t.Context(), "outside")
	if line := decode(); line["request_id"] != nil {
		t.Errorf("outside of a request: %v", line)
	}
}
