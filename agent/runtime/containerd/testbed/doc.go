// Package testbed gives tests what containers need: a containerd of their own, with its own root, state and socket, that
// is gone with the test process even when that is killed; a registry on loopback; images made from Debian packages that
// are installed here; and a small static program that is a holder and the Demo game. Only tests import it.
package testbed
