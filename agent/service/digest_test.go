package service_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/agent/service"
)

// TestN5DigestOfManyCrashes keeps the digest of a node below what a panel takes, whatever its servers printed last.
func TestN5DigestOfManyCrashes(t *testing.T) {
	t.Parallel()
	lines := make([]string, 50)
	for i := range lines {
		lines[i] = strings.Repeat("x", 1<<10)
	}
	digest := make([]*protocol.Observed, 1000)
	for i := range digest {
		digest[i] = &protocol.Observed{State: protocol.State_STATE_CRASHED, LastLines: lines}
	}
	service.Abridge(digest)
	if size := proto.Size(&protocol.SyncResponse{Servers: digest}); size > 16<<20 || len(digest[0].GetLastLines()) != 50 {
		t.Errorf("%d bytes, %d lines of the first server", size, len(digest[0].GetLastLines()))
	}
}
