package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/catalyst-panel/catalyst/internal/fault"
)

// free refuses a port that another program of the node listens on: a mapping would take it away from that one.
func free(ctx context.Context, addr netip.Addr, port int) error {
	at := net.JoinHostPort(addr.String(), strconv.Itoa(port))
	var listen net.ListenConfig
	tcp, err := listen.Listen(ctx, "tcp", at)
	if err == nil {
		err = tcp.Close()
	}
	if err == nil {
		var udp net.PacketConn
		if udp, err = listen.ListenPacket(ctx, "udp", at); err == nil {
			err = udp.Close()
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.New(fault.Conflict, "Another program of the node listens on %s: stop it, or give the server another allocation.", at).Wrap(err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.New(fault.Conflict, "The node does not have the address %s: give the server an allocation on an address of the node.", addr).Wrap(err)
	case err != nil:
		return fault.New(fault.Conflict, "The allocation %s cannot be used on the node.", at).Wrap(err)
	}
	return nil
}

// fallbackServers answer names where the node itself only asks itself, which containers cannot.
var fallbackServers = []string{"1.1.1.1", "8.8.8.8"}

// resolvers are files that name the node's name servers, the better one first: a local resolver hides the others in the
// second.
var resolvers = []string{"/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"}

// Resolver is the content of resolv.conf for containers.
func Resolver() string {
	own := ownAddresses()
	for _, file := range resolvers {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if text, usable := resolverFor(string(b), own); usable {
			return text
		}
	}
	return "nameserver " + strings.Join(fallbackServers, "\nnameserver ") + "\n"
}

// resolverFor leaves out the name servers that a container cannot reach.
func resolverFor(text string, own map[netip.Addr]bool) (string, bool) {
	var kept []string
	usable := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			addr, err := netip.ParseAddr(fields[1])
			if err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast() || own[addr.Unmap()] {
				continue
			}
			usable = true
		case "search", "options":
		default:
			continue
		}
		kept = append(kept, strings.Join(fields, " "))
	}
	return strings.Join(kept, "\n") + "\n", usable
}

func ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return own
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			own[prefix.Addr().Unmap()] = true
		}
	}
	return own
}
