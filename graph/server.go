package graph

import (
	"github.com/catalyst-panel/catalyst/graph/model"
	"github.com/catalyst-panel/catalyst/internal/servers"
)

func changedServer(in model.UpdateServerInput) (servers.UpdateInput, error) {
	var refused error
	out := servers.UpdateInput{
		ID: in.ID, Name: given("name", in.Name, &refused), Description: unless(in.Description, ""),
		Image:  given("image", in.Image, &refused),
		Memory: given("memory", in.Memory, &refused), CPU: given("cpu", in.CPU, &refused),
		Disk: given("disk", in.Disk, &refused), Swap: given("swap", in.Swap, &refused),
		Environment:      in.Environment.Value(),
		StartupCommand:   unless(in.StartupCommand, ""),
		CrashPolicy:      given("crashPolicy", in.CrashPolicy, &refused),
		CrashMaxRestarts: given("crashMaxRestarts", in.CrashMaxRestarts, &refused),
		CrashWindow:      given("crashWindow", in.CrashWindow, &refused),
	}
	return out, refused
}
