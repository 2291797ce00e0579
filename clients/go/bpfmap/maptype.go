package bpfmap

import bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"

// MapType is a type of the kernel's maps. What a kernel has of them is told by
// Client.Capabilities.
type MapType = bpfmapv1.MapType

// The kernel's map types, named as cilium/ebpf does.
const (
	// Hash: hash table (3.19).
	Hash = bpfmapv1.MapType_MAP_TYPE_HASH
	// Array: array indexed by u32 (3.19); every element always exists.
	Array = bpfmapv1.MapType_MAP_TYPE_ARRAY
	// ProgramArray: array of programs for tail calls (4.2).
	ProgramArray = bpfmapv1.MapType_MAP_TYPE_PROG_ARRAY
	// PerfEventArray: array of perf events (4.3).
	PerfEventArray = bpfmapv1.MapType_MAP_TYPE_PERF_EVENT_ARRAY
	// PerCPUHash: hash table with one value slot per possible CPU (4.6).
	PerCPUHash = bpfmapv1.MapType_MAP_TYPE_PERCPU_HASH
	// PerCPUArray: array with one value slot per possible CPU (4.6).
	PerCPUArray = bpfmapv1.MapType_MAP_TYPE_PERCPU_ARRAY
	// StackTrace: stack traces by id (4.6).
	StackTrace = bpfmapv1.MapType_MAP_TYPE_STACK_TRACE
	// CGroupArray: array of cgroup v2 directories (4.8).
	CGroupArray = bpfmapv1.MapType_MAP_TYPE_CGROUP_ARRAY
	// LRUHash: hash table that evicts the least recently used elements (4.10).
	LRUHash = bpfmapv1.MapType_MAP_TYPE_LRU_HASH
	// LRUPerCPUHash: LRU hash with one value slot per possible CPU (4.10).
	LRUPerCPUHash = bpfmapv1.MapType_MAP_TYPE_LRU_PERCPU_HASH
	// LPMTrie: longest-prefix-match trie (4.11); the key is a u32 prefix length in the host's byte order followed by big-endian data.
	LPMTrie = bpfmapv1.MapType_MAP_TYPE_LPM_TRIE
	// ArrayOfMaps: array of maps (4.12).
	ArrayOfMaps = bpfmapv1.MapType_MAP_TYPE_ARRAY_OF_MAPS
	// HashOfMaps: hash table of maps (4.12).
	HashOfMaps = bpfmapv1.MapType_MAP_TYPE_HASH_OF_MAPS
	// DevMap: array of network devices (4.14).
	DevMap = bpfmapv1.MapType_MAP_TYPE_DEVMAP
	// SockMap: array of sockets (4.14).
	SockMap = bpfmapv1.MapType_MAP_TYPE_SOCKMAP
	// CPUMap: array of CPUs for XDP redirection (4.15).
	CPUMap = bpfmapv1.MapType_MAP_TYPE_CPUMAP
	// XSKMap: array of AF_XDP sockets (4.18).
	XSKMap = bpfmapv1.MapType_MAP_TYPE_XSKMAP
	// SockHash: hash table of sockets (4.18).
	SockHash = bpfmapv1.MapType_MAP_TYPE_SOCKHASH
	// CGroupStorage: storage per cgroup and attach type (4.19, deprecated by the kernel).
	CGroupStorage = bpfmapv1.MapType_MAP_TYPE_CGROUP_STORAGE
	// ReusePortSockArray: array of SO_REUSEPORT sockets (4.19).
	ReusePortSockArray = bpfmapv1.MapType_MAP_TYPE_REUSEPORT_SOCKARRAY
	// PerCPUCGroupStorage: CGROUP_STORAGE with one slot per possible CPU (4.20, deprecated).
	PerCPUCGroupStorage = bpfmapv1.MapType_MAP_TYPE_PERCPU_CGROUP_STORAGE
	// Queue: first-in first-out queue of values (4.20); it has no keys.
	Queue = bpfmapv1.MapType_MAP_TYPE_QUEUE
	// Stack: last-in first-out stack of values (4.20); it has no keys.
	Stack = bpfmapv1.MapType_MAP_TYPE_STACK
	// SkStorage: storage per socket (5.2).
	SkStorage = bpfmapv1.MapType_MAP_TYPE_SK_STORAGE
	// DevMapHash: hash table of network devices (5.4).
	DevMapHash = bpfmapv1.MapType_MAP_TYPE_DEVMAP_HASH
	// StructOpsMap: kernel operations implemented by programs (5.6).
	StructOpsMap = bpfmapv1.MapType_MAP_TYPE_STRUCT_OPS
	// RingBuf: ring buffer from programs to user space (5.8).
	RingBuf = bpfmapv1.MapType_MAP_TYPE_RINGBUF
	// InodeStorage: storage per inode (5.10).
	InodeStorage = bpfmapv1.MapType_MAP_TYPE_INODE_STORAGE
	// TaskStorage: storage per task (5.11).
	TaskStorage = bpfmapv1.MapType_MAP_TYPE_TASK_STORAGE
	// BloomFilter: bloom filter of values (5.16); it has no keys.
	BloomFilter = bpfmapv1.MapType_MAP_TYPE_BLOOM_FILTER
	// UserRingBuf: ring buffer from user space to programs (6.1).
	UserRingBuf = bpfmapv1.MapType_MAP_TYPE_USER_RINGBUF
	// CgrpStorage: storage per cgroup (6.2).
	CgrpStorage = bpfmapv1.MapType_MAP_TYPE_CGRP_STORAGE
	// Arena: sparse memory shared with programs (6.9).
	Arena = bpfmapv1.MapType_MAP_TYPE_ARENA
	// InsnArray: array of instruction offsets (6.19).
	InsnArray = bpfmapv1.MapType_MAP_TYPE_INSN_ARRAY
	// RHash: resizable hash table.
	RHash = bpfmapv1.MapType_MAP_TYPE_RHASH
)
