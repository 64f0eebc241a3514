package e2e

import (
	"strings"
	"testing"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// TestSecondPanel is kept away from the data of the first, which goes on.
func TestSecondPanel(t *testing.T) {
	t.Parallel()
	w := allInOne(t)
	second := harness.Spawn(t, harness.Options{Args: []string{"serve"}, Dir: w.dir, Addr: harness.FreeAddr(t)})
	if code := second.Wait(soon); code != 1 || !strings.Contains(second.Output(), "Another panel is using the data directory") {
		t.Errorf("the second panel ended with %d and said %s", code, second.Output())
	}
	w.awaitOnline(true)
}
