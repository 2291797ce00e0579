/*
 * Drops what comes from blocked sources. The controller (main.go) fills `blocked4` and
 * `blocked6`; the longest prefix that has the source decides. `verdicts` counts, on each CPU,
 * what became of the packets.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Values of the tries. Counters are at these indices too. */
enum verdict { PASS = 0, DROP = 1, VERDICTS = 2 };

struct prefix4 {
	__u32 bits;
	__be32 addr;
};

struct prefix6 {
	__u32 bits;
	struct in6_addr addr;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct prefix4);
	__type(value, __u32);
} blocked4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct prefix6);
	__type(value, __u32);
} blocked6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICTS);
	__type(key, __u32);
	__type(value, struct traffic);
} verdicts SEC(".maps");

struct vlan_tag {
	__be16 tci;
	__be16 type;
};

/* The type of what the Ethernet header carries behind up to two VLAN tags; NULL, and 0, where
 * the packet ends before. */
static __always_inline void *behind_tags(void *data, void *end, __be16 *type)
{
	struct ethhdr *eth = data;
	void *next = eth + 1;

	*type = 0;
	if (next > end)
		return NULL;
	*type = eth->h_proto;
#pragma unroll
	for (int tags = 0; tags < 2; tags++) {
		struct vlan_tag *tag = next;

		if (*type != bpf_htons(ETH_P_8021Q) && *type != bpf_htons(ETH_P_8021AD))
			break;
		next = tag + 1;
		if (next > end)
			return NULL;
		*type = tag->type;
	}
	return next;
}

static __always_inline __u32 verdict_of(void *data, void *end)
{
	__be16 type;
	void *packet = behind_tags(data, end, &type);
	__u32 *found = NULL;

	if (!packet)
		return PASS;
	if (type == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = packet;
		struct prefix4 source = { .bits = 32 };

		if ((void *)(ip + 1) > end)
			return PASS;
		source.addr = ip->saddr;
		found = bpf_map_lookup_elem(&blocked4, &source);
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = packet;
		struct prefix6 source = { .bits = 128 };

		if ((void *)(ip + 1) > end)
			return PASS;
		source.addr = ip->saddr;
		found = bpf_map_lookup_elem(&blocked6, &source);
	}
	return found && *found == DROP ? DROP : PASS;
}

SEC("xdp")
int blocklist(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *end = (void *)(long)context->data_end;
	__u32 verdict = verdict_of(data, end);
	struct traffic *traffic = bpf_map_lookup_elem(&verdicts, &verdict);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += end - data;
	}
	return verdict == DROP ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
