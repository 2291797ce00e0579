/* Maps of the sorts of types that tracers, load balancers and firewalls keep. */
#include "bpf.h"

enum verdict { VERDICT_NONE, VERDICT_PASS = 2, VERDICT_DROP = 3 };
enum signed_state { STATE_BAD = -5, STATE_NEW = 0, STATE_OLD = 7 };
enum big { BIG_ONE = 1, BIG_HUGE = 0x123456789abcULL };

/* As connection trackers have it: addresses of both families, and flags in bits. */
struct tuple {
	union {
		struct {
			__be32 daddr;
			__be32 saddr;
		};
		struct {
			__u8 d6[16];
			__u8 s6[16];
		};
	};
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

struct entry {
	__u64 packets;
	__u64 bytes;
	__u32 lifetime;
	__u16 rx_closing : 1, tx_closing : 1, seen : 3, reserved : 11;
	__s32 delta : 5;
	__u32 wide : 27;
	__u64 very_wide : 40;
	__u64 rest : 24;
	enum verdict verdict;
	enum verdict verdict_bits : 4;
	enum signed_state state;
	enum big big;
	bool local;
	bool local_bit : 1;
};

/* As tracers have it. */
struct event {
	__u32 pid;
	char comm[16];
	char tag[4];
	unsigned char raw[6];
	signed char level;
	char letter;
	__s64 latency;
	void *task;
	const char *const *argv;
	struct event *next;
	int (*callback)(int, char *);
	__u32 slots[3][2];
	struct {
		__u16 low, high;
	} pairs[2];
	union {
		__u64 word;
		__u32 halves[2];
		__u8 bytes[8];
	} as;
	volatile const __u32 limit;
	__int128 total;
	unsigned __int128 utotal;
	struct {
	} nothing;
	char none[0];
};

typedef struct {
	__u32 prefixlen;
	__u8 addr[4];
} prefix_t;

struct counter {
	union {
		__u64 packets;
		__u64 rx_packets;
	};
	union {
		__u64 bytes;
		__u64 rx_bytes;
	};
	__s32 balance;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, struct tuple);
	__type(value, struct entry);
} conntrack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, char[8]);
	__type(value, struct event);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, 1);
	__type(key, prefix_t);
	__type(value, enum verdict);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1000);
	__type(key, __u64);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, bool);
} switches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 16);
	__type(value, struct counter);
} jobs SEC(".maps");

/* .data, .bss and .rodata. */
int threshold = 42;
struct counter total = { .packets = 7, .bytes = 9, .balance = -1 };
char name[16] = "a \"quoted\" one";
__u64 seen;
enum verdict fallback;
const volatile __u32 sampling = 100;
const volatile char device[8] = "eth0";
const volatile bool verbose = 1;

static int first_of_two(void)
{
	static volatile int runs = 3;

	return runs++;
}

static int second_of_two(void)
{
	static volatile int runs = 4;

	return runs++;
}

SEC("socket")
int count(void *ctx)
{
	struct tuple tuple = {};
	struct counter *counter;
	__u64 key = 1;

	__sync_fetch_and_add(&seen, 1);
	counter = bpf_map_lookup_elem(&counters, &key);
	if (counter)
		counter->packets++;
	bpf_map_lookup_elem(&conntrack, &tuple);
	bpf_map_lookup_elem(&events, &key);
	bpf_map_lookup_elem(&routes, &key);
	bpf_map_lookup_elem(&hits, &tuple);
	bpf_map_lookup_elem(&switches, &tuple);
	if (verbose && device[0] && name[1] && fallback == VERDICT_PASS)
		return threshold + sampling + total.balance;
	return first_of_two() + second_of_two();
}

char LICENSE[] SEC("license") = "GPL";
