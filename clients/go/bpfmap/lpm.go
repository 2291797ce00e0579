package bpfmap

import "net/netip"

// IPv4Prefix is a key of an LPM_TRIE over IPv4 addresses.
type IPv4Prefix struct {
	// Bits is the length of the prefix, at most 32.
	Bits uint32
	// Addr is the address, in network order.
	Addr [4]byte
}

// IPv6Prefix is a key of an LPM_TRIE over IPv6 addresses.
type IPv6Prefix struct {
	// Bits is the length of the prefix, at most 128.
	Bits uint32
	// Addr is the address, in network order.
	Addr [16]byte
}

// IPv4PrefixOf gives the key of a prefix; the bits past its length are zero. Fails with
// ErrFieldInvalid where it is none of IPv4.
func IPv4PrefixOf(prefix netip.Prefix) (IPv4Prefix, error) {
	if !prefix.IsValid() || !prefix.Addr().Is4() {
		return IPv4Prefix{}, invalid(ErrFieldInvalid, "prefix", "%s is no prefix of IPv4", prefix)
	}
	return IPv4Prefix{uint32(prefix.Bits()), prefix.Masked().Addr().As4()}, nil
}

// IPv6PrefixOf gives the key of a prefix; the bits past its length are zero. Fails with
// ErrFieldInvalid where it is none of IPv6.
func IPv6PrefixOf(prefix netip.Prefix) (IPv6Prefix, error) {
	if !prefix.IsValid() || !prefix.Addr().Is6() {
		return IPv6Prefix{}, invalid(ErrFieldInvalid, "prefix", "%s is no prefix of IPv6", prefix)
	}
	return IPv6Prefix{uint32(prefix.Bits()), prefix.Masked().Addr().As16()}, nil
}

// Prefix gives the prefix of a key.
func (p IPv4Prefix) Prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4(p.Addr), int(p.Bits))
}

// Prefix gives the prefix of a key.
func (p IPv6Prefix) Prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16(p.Addr), int(p.Bits))
}
