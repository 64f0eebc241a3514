package earlyexec

import (
	"os"

	"github.com/catalyst-panel/catalyst/agent/demo"
	"github.com/catalyst-panel/catalyst/agent/holder"
)

//nolint:gochecknoinits // a function called from main would come after the initialisation that this exists to avoid
func init() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case holder.Command:
		os.Exit(holder.Main(os.Args[2:])) //nolint:forbidigo // this is the main function of the holder
	case demo.Command:
		os.Exit(demo.Main()) //nolint:forbidigo // this is the main function of the Demo game
	}
}
