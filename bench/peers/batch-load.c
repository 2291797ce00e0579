// The limit of a load: writes elements from memory with BPF_MAP_UPDATE_BATCH. The
// elements are those of bench/harness/elements.ts.
// Usage: batch-load ID COUNT BATCH
#include "bpf.h"

static void fill(uint32_t *words, uint32_t count, uint32_t per_element, uint32_t multiplier)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t word = 0; word < per_element; word++)
			words[(size_t)i * per_element + word] = i * multiplier + word;
}

static void load(int fd, const struct bpf_map_info *info, uint32_t count, uint32_t batch,
		 const char *keys, const char *values)
{
	for (uint32_t done = 0; done < count; done += batch) {
		union bpf_attr attr = { 0 };
		attr.batch.keys = (uint64_t)(uintptr_t)(keys + (size_t)done * info->key_size);
		attr.batch.values = (uint64_t)(uintptr_t)(values + (size_t)done * info->value_size);
		attr.batch.count = count - done < batch ? count - done : batch;
		attr.batch.map_fd = fd;
		if (bpf(BPF_MAP_UPDATE_BATCH, &attr))
			die("BPF_MAP_UPDATE_BATCH");
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: batch-load ID COUNT BATCH\n");
		return 2;
	}
	int fd = open_map(strtoul(argv[1], NULL, 10));
	uint32_t count = strtoul(argv[2], NULL, 10);
	uint32_t batch = strtoul(argv[3], NULL, 10);
	struct bpf_map_info info = map_info(fd);
	char *keys = allocate((size_t)count * info.key_size);
	char *values = allocate((size_t)count * info.value_size);
	fill((uint32_t *)keys, count, info.key_size / 4, 0x9e3779b1);
	fill((uint32_t *)values, count, info.value_size / 4, 1);
	double start = now();
	double cpu_start = cpu_now();
	load(fd, &info, count, batch, keys, values);
	printf("{\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"elements\":%u}\n", now() - start,
	       cpu_now() - cpu_start, count);
	return 0;
}
