package testkit

import (
	"fmt"
	"os"
	"testing"
)

// Missing ends a test that lacks something of the machine: it is skipped, or fails with CATALYST_TEST_REQUIRE=all.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	if os.Getenv("CATALYST_TEST_REQUIRE") == "all" {
		t.Fatalf("required for this run: %s", reason)
	}
	t.Skip(reason)
}
