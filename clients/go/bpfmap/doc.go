// Package bpfmap reads, writes and watches the eBPF maps of a Linux host over gRPC,
// through the daemon bpfmapd. It needs no privileges and no Linux of its own.
//
// It is used like github.com/cilium/ebpf, with a context in front of every call:
//
//	client, err := bpfmap.Dial("unix:/run/bpfmapd/bpfmapd.sock")
//	hits, err := bpfmap.OpenMap[uint32, uint64](ctx, client, bpfmap.Pinned("/sys/fs/bpf/hits"), nil)
//	n, err := hits.Lookup(ctx, 7)
//	if errors.Is(err, bpfmap.ErrKeyNotExist) { ... }
//
// # Keys and values
//
// A [Map] has a Go type for its keys and one for its values. They are checked against
// the map's sizes when it is opened, and written in the byte order of the daemon's
// host, whatever the client's is. A type can be
//
//   - an integer of a fixed size, a float, a bool, or an array or struct of these. A
//     struct must have no implicit padding: name it with a blank field, as in
//     `_ [4]byte`. Blank fields are written as zero;
//   - a type with MarshalBinary and UnmarshalBinary;
//   - []byte, for the bytes as they are;
//   - for the values of per-CPU maps a slice of one of the first, with one item for
//     each possible CPU, in the order of CPUs();
//   - [Object] for values, and [ObjectKey] for keys, that are kernel objects;
//   - with OpenOptions.JSON whatever encoding/json knows: the daemon then encodes and
//     decodes by the types of the map (BTF).
//
// # Batching
//
// Calls of [Map.Lookup], [Map.Update], [Map.Put], [Map.Delete] and
// [Map.LookupAndDelete] that are made while another one is on its way are gathered and
// sent as one RPC: see [Batching]. A call that is alone is sent at once.
//
// # Errors
//
// Calls fail with an [*Error], which has the daemon's status, its reason and the
// fields at fault. There is one variable for each reason, for [errors.Is].
//
// # Whole maps
//
// [Map.Dump] streams a map, [Map.Load] makes a map hold what an iterator yields, and
// [Map.Watch] tells the contents and then their changes, over cut connections and
// restarts of the daemon.
//
// # Other maps
//
// [QueueMap] and [BloomFilterMap] are maps without keys. [Handle.ReadRecords] reads ring
// buffers and perf event arrays, [Handle.WriteRecords] writes user ring buffers, and
// [Handle.ReadMemory] reads arenas.
//
// # Fleets
//
// With a client of a relay, [Client.FleetHosts] lists the hosts of a fleet and
// [Client.FanOut] makes a call on all that match.
//
// What is not wrapped here can be called by [Client.MapService] and
// [Client.HostService], and [Client.FleetService] of a relay, which have every RPC of the
// contract.
package bpfmap
