package feature_test

import (
	"testing"

	"github.com/catalyst-panel/catalyst/internal/templates/feature"
)

func TestFind(t *testing.T) {
	t.Parallel()
	all := []string{"eula", "java_version", "pid_limit", "steam_disk_space", "unheard-of"}
	for line, want := range map[string]string{
		"[12:00:00 INFO]: You need to agree to the EULA in order to run the server. Go to eula.txt for more info.":  feature.EULA,
		"Exception in thread \"main\" java.lang.UnsupportedClassVersionError: a has been compiled by a more recent": feature.JavaVersion,
		"java.lang.OutOfMemoryError: unable to create native thread":                                                feature.Processes,
		"Error! App '1' state is 0x202 after update job.":                                                           feature.SteamSpace,
		"Done (1.2s)! For help, type \"help\"":                                                                      "",
	} {
		got := feature.Find(all, []string{"before", line, "after"})
		if (got == nil) != (want == "") || got != nil && (got.Feature != want || got.Message == "") {
			t.Errorf("%q asks for %+v, want %q", line, got, want)
		}
		if got := feature.Find(nil, []string{line}); got != nil {
			t.Errorf("%q asks for %+v without the feature", line, got)
		}
	}
}
