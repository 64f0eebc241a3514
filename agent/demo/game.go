package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/catalyst-panel/catalyst/agent/procfs"
)

// Command is the sub-command that runs the game.
const Command = "demo-game"

// Main runs the game on the process's own standard streams and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT) //nolint:forbidigo // this is the main function of a program of its own
	defer stop()
	procfs.Trim()
	return Run(ctx, os.Stdin, os.Stdout)
}

// game is one run of it.
type game struct {
	mu  sync.Mutex
	out *bufio.Writer
	// held is the memory that "mem" asked for.
	held [][]byte
	// tasks are the "rate" and "cpu" commands under way.
	tasks sync.WaitGroup
}

// Run plays until it is told to stop or ctx is done, which is like "stop", and returns the exit code. It leaves a
// goroutine reading in; whoever passes something other than the process's own standard input closes it afterwards.
func Run(ctx context.Context, in io.Reader, out io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	g := &game{out: bufio.NewWriterSize(out, 16<<10)}
	defer g.tasks.Wait()
	defer cancel()
	commands := make(chan string)
	go func() {
		// At the end of the input the channel stays open: the game goes on.
		for lines := bufio.NewScanner(in); lines.Scan(); {
			select {
			case commands <- lines.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	g.print("ready")
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for tick := 1; ; {
		select {
		case <-ctx.Done():
			g.print("bye")
			return 0
		case <-second.C:
			g.print("tick " + strconv.Itoa(tick))
			tick++
		case line := <-commands:
			if code, done := g.obey(ctx, strings.TrimSpace(line)); done {
				return code
			}
		}
	}
}

// obey does one command. It reports the exit code when the game is over.
func (g *game) obey(ctx context.Context, line string) (code int, over bool) {
	verb, rest, _ := strings.Cut(line, " ")
	args := strings.Fields(rest)
	switch verb {
	case "":
	case "say":
		g.print("you said: " + rest)
	case "burst":
		g.withNumbers("burst N", args, 1, func(n []int) { g.burst(ctx, n[0]) })
	case "rate":
		g.withNumbers("rate N SECONDS", args, 2, func(n []int) { g.tasks.Go(func() { g.rate(ctx, n[0], n[1]) }) })
	case "mem":
		g.withNumbers("mem MB", args, 1, func(n []int) { g.mem(n[0]) })
	case "cpu":
		g.withNumbers("cpu SECONDS", args, 1, func(n []int) { g.tasks.Go(func() { g.cpu(ctx, n[0]) }) })
	case "write":
		g.write(args)
	case "crash":
		g.withNumbers("crash CODE", args, 1, func(n []int) { code, over = n[0], true })
		return code, over
	case "stop":
		g.print("bye")
		return 0, true
	default:
		g.print("unknown command: " + line)
	}
	return 0, false
}

// withNumbers calls do when the arguments are so many numbers, and explains the command otherwise.
func (g *game) withNumbers(usage string, args []string, count int, do func([]int)) {
	var numbers []int
	for _, a := range args {
		if n, err := strconv.Atoi(a); err == nil && n >= 0 {
			numbers = append(numbers, n)
		}
	}
	if len(args) != count || len(numbers) != count {
		g.print("usage: " + usage)
		return
	}
	do(numbers)
}

// print writes lines at once. What becomes of them is not the game's concern, as with any game.
func (g *game) print(lines ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, line := range lines {
		_, _ = g.out.WriteString(line)
		_ = g.out.WriteByte('\n')
	}
	_ = g.out.Flush()
}

func (g *game) burst(ctx context.Context, n int) {
	g.mu.Lock()
	total := "/" + strconv.Itoa(n) + "\n"
	line := make([]byte, 0, 64)
	for i := 1; i <= n && ctx.Err() == nil; i++ {
		line = append(strconv.AppendInt(append(line[:0], "burst "...), int64(i), 10), total...)
		_, _ = g.out.Write(line)
	}
	g.mu.Unlock()
	g.print("burst done " + strconv.Itoa(n))
}

// rate prints evenly: each time it wakes, what has become due since the start.
func (g *game) rate(ctx context.Context, perSecond, seconds int) {
	if perSecond == 0 {
		return
	}
	total, start := perSecond*seconds, time.Now()
	wake := time.NewTicker(max(time.Second/time.Duration(perSecond), time.Millisecond))
	defer wake.Stop()
	for printed := 0; printed < total; {
		select {
		case <-ctx.Done():
			return
		case <-wake.C:
		}
		due := min(int(time.Since(start).Seconds()*float64(perSecond)), total)
		var lines []string
		for ; printed < due; printed++ {
			lines = append(lines, fmt.Sprintf("rate %d %d", printed+1, time.Now().UnixNano()))
		}
		g.print(lines...)
	}
	g.print("rate done " + strconv.Itoa(total))
}

func (g *game) mem(mb int) {
	for range mb {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		g.held = append(g.held, block)
	}
	g.print(fmt.Sprintf("mem %d MB held", len(g.held)))
}

func (g *game) cpu(ctx context.Context, seconds int) {
	sum := 0
	for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end) && ctx.Err() == nil; {
		for i := range 100_000 {
			sum ^= i
		}
	}
	g.print(fmt.Sprintf("cpu done %d", seconds))
}

func (g *game) write(args []string) {
	if len(args) != 2 {
		g.print("usage: write PATH MB")
		return
	}
	g.withNumbers("write PATH MB", args[1:], 1, func(n []int) {
		if err := writeFile(args[0], n[0]); err != nil {
			g.print("write failed: " + err.Error())
			return
		}
		g.print(fmt.Sprintf("wrote %s %d MB", args[0], n[0]))
	})
}

func writeFile(path string, mb int) error {
	f, err := os.Create(path)
	if err != nil {
		return err //nolint:wrapcheck // it is shown as it is
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	for range mb {
		if _, err := f.Write(block); err != nil {
			return err //nolint:wrapcheck // it is shown as it is
		}
	}
	return f.Sync() //nolint:wrapcheck // it is shown as it is
}
