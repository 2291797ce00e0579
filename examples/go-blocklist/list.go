package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bpfmapd/bpfmapd/clients/go/bpfmap"
)

// verdict is what the program does with a packet: enum verdict of bpf/blocklist.bpf.c.
type verdict uint32

const (
	pass verdict = 0
	drop verdict = 1
)

// list is what a file says.
type list struct {
	v4 map[bpfmap.IPv4Prefix]verdict
	v6 map[bpfmap.IPv6Prefix]verdict
}

// parse reads a list: a prefix or address a line; "!" before it lets it through although a
// shorter prefix is blocked; "#" begins a comment. A list with a mistake is refused whole.
func parse(name string, text []byte) (list, error) {
	l := list{map[bpfmap.IPv4Prefix]verdict{}, map[bpfmap.IPv6Prefix]verdict{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := l.add(line); err != nil {
			return list{}, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return l, lines.Err()
}

func (l list) add(line string) error {
	text, isException := strings.CutPrefix(line, "!")
	prefix, err := prefixOf(text)
	if err != nil {
		return err
	}
	action := drop
	if isException {
		action = pass
	}
	if prefix.Addr().Is4() {
		key, err := bpfmap.IPv4PrefixOf(prefix)
		l.v4[key] = action
		return err
	}
	key, err := bpfmap.IPv6PrefixOf(prefix)
	l.v6[key] = action
	return err
}

func prefixOf(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%s: packets have no zones", addr)
	}
	return addr.Unmap().Prefix(addr.Unmap().BitLen())
}
