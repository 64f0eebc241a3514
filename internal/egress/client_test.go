package egress_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/internal/egress"
)

// TestF7 permits public addresses and nothing else, in every way to write them.
func TestF7(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "1.1.1.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "2001:db8::1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
		"::ffff:93.184.216.34": true, "fe80::1%eth0": false,
	} {
		if got := (egress.Policy{}).Permits(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	own := egress.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	if !own.Permits(netip.MustParseAddr("10.1.2.3")) || own.Permits(netip.MustParseAddr("10.2.0.1")) {
		t.Error("an operator's own network is that network and no other")
	}
}

// TestDialledAddress refuses by the address that is dialled, whatever the name says, and follows no redirect.
func TestDialledAddress(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer target.Close()
	u, err := url.Parse(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	get := func(p egress.Policy, address string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.Client(5 * time.Second).Do(req)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	for _, address := range []string{target.URL, "http://localhost:" + u.Port(), "http://127.1:" + u.Port(), "http://[::ffff:127.0.0.1]:" + u.Port()} {
		if _, err := get(egress.Policy{}, address); err == nil {
			t.Errorf("%s was reached", address)
		} else if u.Hostname() == "127.0.0.1" && address == target.URL && !errors.Is(err, egress.ErrForbidden) {
			t.Errorf("%s was refused with %v", address, err)
		}
	}
	if len(requests) != 0 {
		t.Fatal("a request arrived at a private address")
	}
	allowed := egress.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	if status, err := get(allowed, target.URL); err != nil || status != http.StatusFound {
		t.Errorf("an allowed address: %d, %v", status, err)
	}
	if got := <-requests; got != "/" || len(requests) != 0 {
		t.Errorf("requests for %q and %d more", got, len(requests))
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://example.com/hook?x=1": true, "http://example.com": true, "ftp://example.com": false, "file:///etc/passwd": false,
		"https://user:pass@example.com": false, "https://": false, "//example.com": false, "gopher://x": false, "": false, "https://:80/": false,
	} {
		if _, err := egress.CheckURL(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
