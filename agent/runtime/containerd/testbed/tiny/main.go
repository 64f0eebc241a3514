// Command tiny is the holder and the Demo game without the rest of Catalyst, static, and built within a second. Tests use
// it where the whole program would take too long to build and to copy.
package main

import (
	"os"

	_ "github.com/catalyst-panel/catalyst/agent/earlyexec" // does everything there is to do
)

func main() {
	os.Exit(2) // the sub-commands never come here
}
