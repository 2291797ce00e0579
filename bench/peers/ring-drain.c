// The limit of reading records: takes every record out of a ring buffer, copies it as a
// reader that keeps it does, and prints the time.
// Usage: ring-drain ID
#include "bpf.h"
#include <sys/mman.h>

#define BUSY (1u << 31)
#define DISCARDED (1u << 30)
#define HEADER 8

static char kept[1 << 16];

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: ring-drain ID\n");
		return 2;
	}
	int fd = open_map(strtoul(argv[1], NULL, 10));
	size_t size = map_info(fd).max_entries;
	size_t page = sysconf(_SC_PAGESIZE);
	double start = now();
	unsigned long *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, page);
	if (consumer == MAP_FAILED || producer == MAP_FAILED)
		die("mmap");
	char *data = producer + page;
	unsigned long position = __atomic_load_n(consumer, __ATOMIC_ACQUIRE);
	unsigned long end = __atomic_load_n((unsigned long *)producer, __ATOMIC_ACQUIRE);
	uint64_t records = 0;
	size_t at = 0;
	while (position < end) {
		char *header = data + (position & (size - 1));
		uint32_t length = __atomic_load_n((uint32_t *)header, __ATOMIC_ACQUIRE);
		if (length & BUSY)
			break;
		size_t bytes = length & ~DISCARDED;
		if (!(length & DISCARDED)) {
			if (at + bytes > sizeof(kept))
				at = 0;
			if (bytes <= sizeof(kept))
				memcpy(kept + at, header + HEADER, bytes);
			at += bytes;
			records++;
		}
		position += (bytes + HEADER + 7) & ~7ul;
		__atomic_store_n(consumer, position, __ATOMIC_RELEASE);
	}
	printf("{\"seconds\":%.6f,\"elements\":%llu}\n", now() - start, (unsigned long long)records);
	return 0;
}
