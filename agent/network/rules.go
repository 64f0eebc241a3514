package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// ruleTime bounds one change of the node's rules.
	ruleTime = 15 * time.Second
	// guardAgain is how long rules are trusted to be as they were made.
	guardAgain = 30 * time.Second
)

// canIPv6 reports whether the node can give containers IPv6: it has it, and can translate its addresses.
func canIPv6(ctx context.Context) bool {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return false
	}
	if b, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6"); err != nil || strings.TrimSpace(string(b)) != "0" {
		return false
	}
	return run(ctx, "", "ip6tables", "-w", "5", "-t", "nat", "-S", "POSTROUTING") == nil
}

// family is one version of IP.
type family struct {
	command string
	subnet  string
	// local are the destinations that are nobody's but the node's or its provider's; ping is what the node has to answer.
	local    []string
	neighbor []string
}

func (n *Networks) families() []family {
	all := []family{{
		command: "iptables", subnet: n.config.Subnet4,
		// Link-local, where clouds have their metadata, and the address of one that has them elsewhere.
		local: []string{"169.254.0.0/16", "100.100.100.200/32"},
	}}
	if n.ipv6 {
		all = append(all, family{
			command: "ip6tables", subnet: n.config.Subnet6, local: []string{"fe80::/10", "fd00:ec2::254/128"},
			neighbor: []string{"neighbour-solicitation", "neighbour-advertisement"},
		})
	}
	return all
}

// guard puts the node's rules in order, also after somebody else has flushed them.
func (n *Networks) guard(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.guarded.IsZero() && time.Since(n.guarded) < guardAgain {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ruleTime)
	defer cancel()
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600); err != nil {
		return fmt.Errorf("let the node forward packets: %w", err)
	}
	for _, f := range n.families() {
		if err := n.guardFamily(ctx, f); err != nil {
			return err
		}
	}
	n.guarded = time.Now()
	return nil
}

func (n *Networks) guardFamily(ctx context.Context, f family) error {
	if f.command == "ip6tables" {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o600); err != nil {
			return fmt.Errorf("let the node forward packets: %w", err)
		}
	}
	if err := run(ctx, n.chains(f), f.command+"-restore", "-w", "5", "--noflush"); err != nil {
		return err
	}
	for _, jump := range n.jumps() {
		if err := n.first(ctx, f.command, jump); err != nil {
			return err
		}
	}
	return nil
}

// chains are the rules themselves. Restoring them replaces the chains that they name, and no other.
func (n *Networks) chains(f family) string {
	in, forward, post := n.chain("IN"), n.chain("FW"), n.chain("NAT")
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("*filter\n:%s - [0:0]\n:%s - [0:0]", in, forward)
	// To the node itself: answers only.
	line("-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", in)
	for _, kind := range f.neighbor {
		line("-A %s -p ipv6-icmp --icmpv6-type %s -j ACCEPT", in, kind)
	}
	line("-A %s -j DROP", in)
	// From containers to the world, and from the world through mapped ports.
	for _, destination := range f.local {
		line("-A %s -i %s -d %s -j DROP", forward, n.config.Bridge, destination)
	}
	line("-A %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", forward, n.config.Bridge)
	line("-A %s -o %s -m conntrack --ctstate DNAT -j ACCEPT", forward, n.config.Bridge)
	line("-A %s -o %s -j DROP", forward, n.config.Bridge)
	line("-A %s -i %s -j ACCEPT", forward, n.config.Bridge)
	line("COMMIT\n*nat\n:%s - [0:0]", post)
	line("-A %s -s %s ! -o %s -j MASQUERADE", post, f.subnet, n.config.Bridge)
	line("COMMIT")
	return b.String()
}

// jump leads from a chain of the kernel to one of ours.
type jump struct {
	table, from, to string
	match           []string
}

func (n *Networks) jumps() []jump {
	return []jump{
		{"filter", "INPUT", n.chain("IN"), []string{"-i", n.config.Bridge}},
		{"filter", "FORWARD", n.chain("FW"), nil},
		{"nat", "POSTROUTING", n.chain("NAT"), nil},
	}
}

// chain names a chain after the bridge.
func (n *Networks) chain(what string) string { return "CATALYST-" + what + "-" + n.config.Bridge }

// first makes a jump be there, before what others have put into the chain.
func (n *Networks) first(ctx context.Context, command string, j jump) error {
	rule := append(append([]string{}, j.match...), "-j", j.to)
	if run(ctx, "", command, append([]string{"-w", "5", "-t", j.table, "-C", j.from}, rule...)...) == nil {
		return nil
	}
	return run(ctx, "", command, append([]string{"-w", "5", "-t", j.table, "-I", j.from, "1"}, rule...)...)
}

// Remove takes the default network off the node: its rules, its bridge and what it has given out. No container may be
// connected any more.
func (n *Networks) Remove(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, ruleTime)
	defer cancel()
	var errs []error
	for _, f := range n.families() {
		for _, j := range n.jumps() {
			rule := append(append([]string{"-w", "5", "-t", j.table, "-D", j.from}, j.match...), "-j", j.to)
			errs = append(errs,
				run(ctx, "", f.command, rule...),
				run(ctx, "", f.command, "-w", "5", "-t", j.table, "-F", j.to),
				run(ctx, "", f.command, "-w", "5", "-t", j.table, "-X", j.to))
		}
	}
	if _, err := os.Stat("/sys/class/net/" + n.config.Bridge); err == nil {
		errs = append(errs, run(ctx, "", "ip", "link", "delete", n.config.Bridge))
	}
	errs = append(errs, os.RemoveAll(n.config.StateDir))
	return errors.Join(errs...)
}

func run(ctx context.Context, input, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Stdin = strings.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
