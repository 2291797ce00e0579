/*
 * What an XDP firewall does: the sender's longest blocked prefix decides, counters are kept
 * for each CPU, and each packet that is dropped is told through a ring buffer.
 */
#include "bpf.h"

enum { XDP_DROP = 1, XDP_PASS = 2 };
enum { SENDER_OFFSET = 26, HEADERS_SIZE = 34 };

struct xdp_md {
	__u32 data;
	__u32 data_end;
};

struct prefix {
	__u32 length;
	__be32 address;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct drop {
	__be32 sender;
	__u32 rule;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1000);
	__uint(map_flags, 1);
	__type(key, struct prefix);
	__type(value, __u32);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct counter);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} drops SEC(".maps");

static long (*bpf_ringbuf_output)(void *ring, void *data, __u64 size, __u64 flags) = (void *)130;

SEC("xdp")
int firewall(struct xdp_md *context)
{
	unsigned char *data = (void *)(long)context->data;
	unsigned char *end = (void *)(long)context->data_end;
	struct prefix sender = { .length = 32 };
	struct counter *counter;
	__u32 verdict = XDP_PASS;
	__u32 *rule;

	if (data + HEADERS_SIZE > end)
		return XDP_PASS;
	__builtin_memcpy(&sender.address, data + SENDER_OFFSET, 4);
	rule = bpf_map_lookup_elem(&blocked, &sender);
	if (rule) {
		struct drop drop = { .sender = sender.address, .rule = *rule };

		verdict = XDP_DROP;
		bpf_ringbuf_output(&drops, &drop, sizeof(drop), 0);
	}
	counter = bpf_map_lookup_elem(&verdicts, &verdict);
	if (counter) {
		counter->packets++;
		counter->bytes += end - data;
	}
	return verdict;
}

char LICENSE[] SEC("license") = "GPL";
