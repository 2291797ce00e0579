// The limit of a dump: reads a map with BPF_MAP_LOOKUP_BATCH into memory, once
// with each batch size given, and prints the best time and the mean CPU time.
// Usage: batch-dump ID BATCH...
#include "bpf.h"

static uint64_t dump(int fd, uint32_t batch, char *keys, char *values)
{
	// The cursor of a hash map is a u32 bucket number, that of other maps a key.
	char cursor[64] = { 0 };
	uint64_t elements = 0;
	for (int first = 1;; first = 0) {
		union bpf_attr attr = { 0 };
		attr.batch.in_batch = first ? 0 : (uint64_t)(uintptr_t)cursor;
		attr.batch.out_batch = (uint64_t)(uintptr_t)cursor;
		attr.batch.keys = (uint64_t)(uintptr_t)keys;
		attr.batch.values = (uint64_t)(uintptr_t)values;
		attr.batch.count = batch;
		attr.batch.map_fd = fd;
		int failed = bpf(BPF_MAP_LOOKUP_BATCH, &attr);
		if (failed && errno != ENOENT)
			die("BPF_MAP_LOOKUP_BATCH");
		elements += attr.batch.count;
		if (failed)
			return elements;
	}
}

static uint32_t stride(const struct bpf_map_info *info)
{
	if (info->type != BPF_MAP_TYPE_PERCPU_HASH)
		return info->value_size;
	return ((info->value_size + 7) & ~7u) * sysconf(_SC_NPROCESSORS_CONF);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: batch-dump ID BATCH...\n");
		return 2;
	}
	int fd = open_map(strtoul(argv[1], NULL, 10));
	struct bpf_map_info info = map_info(fd);
	double best = 0;
	double cpu = 0;
	uint64_t elements = 0;
	for (int i = 2; i < argc; i++) {
		uint32_t batch = strtoul(argv[i], NULL, 10);
		char *keys = allocate((size_t)batch * info.key_size);
		char *values = allocate((size_t)batch * stride(&info));
		double start = now();
		double cpu_start = cpu_now();
		elements = dump(fd, batch, keys, values);
		double seconds = now() - start;
		cpu += (cpu_now() - cpu_start) / (argc - 2);
		if (i == 2 || seconds < best)
			best = seconds;
		free(keys);
		free(values);
	}
	printf("{\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"elements\":%llu}\n", best, cpu,
	       (unsigned long long)elements);
	return 0;
}
