/*
 * Counts what comes to each port, by protocol, in a map that drops the least used ports when
 * it is full. Everything passes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct port {
	__u8 protocol;
	__u8 zero;
	__be16 number;
};

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct port);
	__type(value, struct traffic);
} ports SEC(".maps");

/* What TCP, UDP and SCTP begin with. */
struct port_pair {
	__be16 source;
	__be16 destination;
};

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/* Where a packet is going: port 0 for protocols without ports, and for later fragments. */
static __always_inline int port_of(void *data, void *end, struct port *port)
{
	struct ethhdr *eth = data;
	struct port_pair *pair = NULL;

	if ((void *)(eth + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		port->protocol = ip->protocol;
		if (!(ip->frag_off & bpf_htons(0x1fff)))
			pair = (void *)ip + ip->ihl * 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		port->protocol = ip->nexthdr;
		pair = (void *)(ip + 1);
	} else {
		return 0;
	}
	if (pair && has_ports(port->protocol) && (void *)(pair + 1) <= end)
		port->number = pair->destination;
	return 1;
}

SEC("xdp")
int count_ports(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	void *end = (void *)(long)context->data_end;
	struct traffic first = { .packets = 1, .bytes = end - data };
	struct port port = {};
	struct traffic *traffic;

	if (!port_of(data, end, &port))
		return XDP_PASS;
	traffic = bpf_map_lookup_elem(&ports, &port);
	if (traffic) {
		traffic->packets++;
		traffic->bytes += first.bytes;
	} else {
		bpf_map_update_elem(&ports, &port, &first, BPF_NOEXIST);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
