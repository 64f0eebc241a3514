// Command sdl prints the whole GraphQL schema as one document, for clients that generate code from it. Run it from the
// root of the repository.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/catalyst-panel/catalyst/graph"
	"github.com/catalyst-panel/catalyst/graph/sdl"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sdl:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	text, err := sdl.Text(graph.NewSchema(graph.Config{}).Schema())
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}
