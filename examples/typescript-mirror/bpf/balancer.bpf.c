/*
 * A load balancer on a cable: a new TCP connection to one of the `services` gets the next of the
 * `backends`, and its packets are sent back out with that backend's MAC address. `sessions`
 * remembers which backend each connection has. Mirrored to a standby, the standby carries the
 * connections on.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

struct service {
	__be32 addr;
	__be16 port;
	__u16 zero;
};

struct backend {
	__u8 mac[ETH_ALEN];
	__u8 present;
	__u8 zero;
};

enum { BACKENDS = 64 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct flow);
	__type(value, __u32);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

/* Whose turn it is, on each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} turn SEC(".maps");

/* The next backend that is there; BACKENDS where there is none. */
static __always_inline __u32 next_backend(void)
{
	__u32 zero = 0;
	__u32 *next = bpf_map_lookup_elem(&turn, &zero);

	if (!next)
		return BACKENDS;
	for (int tried = 0; tried < BACKENDS; tried++) {
		__u32 index = (*next)++ % BACKENDS;
		struct backend *backend = bpf_map_lookup_elem(&backends, &index);

		if (backend && backend->present)
			return index;
	}
	return BACKENDS;
}

/* The backend of a packet's connection; BACKENDS where it has none. */
static __always_inline __u32 backend_of(struct flow *flow, struct tcphdr *tcp)
{
	__u32 *known = bpf_map_lookup_elem(&sessions, flow);
	__u32 index;

	if (known) {
		index = *known;
		if (tcp->rst)
			bpf_map_delete_elem(&sessions, flow);
		return index;
	}
	if (!tcp->syn || tcp->ack)
		return BACKENDS;
	index = next_backend();
	if (index == BACKENDS || bpf_map_update_elem(&sessions, flow, &index, BPF_NOEXIST))
		return BACKENDS;
	return index;
}

SEC("xdp")
int balancer(struct xdp_md *context)
{
	void *end = (void *)(long)context->data_end;
	struct ethhdr *eth = (void *)(long)context->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct service service = {};
	struct backend *backend;
	struct flow flow;
	__u32 index;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	/* With options in between, or in fragments, the stack may have it. */
	if (ip->protocol != IPPROTO_TCP || ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)))
		return XDP_PASS;
	service.addr = ip->daddr;
	service.port = tcp->dest;
	if (!bpf_map_lookup_elem(&services, &service))
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.sport = tcp->source;
	flow.dport = tcp->dest;
	index = backend_of(&flow, tcp);
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend || !backend->present)
		return XDP_DROP;
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	return XDP_TX;
}

char _license[] SEC("license") = "GPL";
