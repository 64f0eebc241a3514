package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/catalyst-panel/catalyst/test/harness"
)

// TestHundredServers runs a hundred servers with a thousand viewers on one node.
func TestHundredServers(t *testing.T) {
	const count, viewers, most = 100, 10, 8 << 20
	w := allInOne(t)
	w.admin.Run(`mutation($id: ID!) { updateNode(input: {id: $id, memoryLimit: 0, cpuLimit: 0, diskLimit: 0}) { node { id } } }`,
		vars{"id": w.nodeID}, nil)
	template := w.demo()
	ids := make([]string, count)
	for i := range ids {
		var out struct {
			CreateServer struct{ Server struct{ ID string } }
		}
		w.admin.Run(`mutation($n: String!, $t: ID!) { createServer(input: {name: $n, templateId: $t, startOnInstall: true}) { server { id } } }`,
			vars{"n": fmt.Sprintf("one of many %d", i), "t": template}, &out)
		ids[i] = out.CreateServer.Server.ID
	}
	harness.Eventually(t, time.Minute, "all servers run", func() error {
		var out struct{ Servers struct{ TotalCount int } }
		if err := w.admin.Do(t.Context(), `{ servers(where: {state: RUNNING}) { totalCount } }`, nil, &out); err != nil {
			return err
		}
		if out.Servers.TotalCount != count {
			return fmt.Errorf("%d of %d run", out.Servers.TotalCount, count)
		}
		return nil
	})
	var sum, highest int64
	for _, id := range ids {
		var size int64
		for _, pid := range append(harness.Game(w.nodeDir, id), harness.Holders(w.nodeDir, id)...) {
			pss, err := harness.PSS(pid)
			if err != nil {
				t.Fatal(err)
			}
			size += pss
		}
		if size == 0 || size >= most {
			t.Errorf("a server with its holder has %d KiB, want less than %d", size>>10, int64(most)>>10)
		}
		sum, highest = sum+size, max(highest, size)
	}
	t.Logf("memory (PSS) of a server with its holder: %d KiB on average, %d KiB at most", sum/count>>10, highest>>10)

	consoles := make([]*harness.Console, 0, count*viewers)
	for range viewers {
		for _, id := range ids {
			consoles = append(consoles, w.admin.Console(id, nil))
		}
	}
	var answers sync.WaitGroup
	for _, id := range ids {
		answers.Go(func() {
			if err := w.admin.Do(t.Context(), `mutation($s: ID!) { sendCommand(input: {serverId: $s, command: "say all well"}) { server { id } } }`,
				vars{"s": id}, nil); err != nil {
				t.Errorf("a command among many: %v", err)
			}
		})
	}
	answers.Wait()
	for _, c := range consoles {
		c.Await(soon, "STDOUT", "you said: all well")
	}
	begin := time.Now()
	w.admin.Run(`{ viewer { user { id } } servers(first: 100) { edges { node { id name state node { name } owner { username } template { name } } } } }`, nil, nil)
	t.Logf("with %d sockets open, a page of %d servers took %v", len(consoles), count, time.Since(begin))
	for _, c := range consoles {
		c.Close()
	}

	for _, id := range ids {
		w.admin.Run(`mutation($id: ID!) { deleteServer(input: {id: $id}) { deletedId } }`, vars{"id": id}, nil)
	}
	harness.Eventually(t, time.Minute, "all servers are gone", func() error {
		left, err := os.ReadDir(filepath.Join(w.nodeDir, "agent", "servers"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d directories are left", len(left))
		}
		return err
	})
	for _, id := range ids {
		w.gone(id)
	}
}
