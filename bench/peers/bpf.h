// bpf(2) without a library, as far as the peers need it.
#pragma once

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline int bpf(int command, union bpf_attr *attr)
{
	return syscall(__NR_bpf, command, attr, sizeof(*attr));
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void *allocate(size_t size)
{
	void *memory = malloc(size);
	if (!memory)
		die("malloc");
	return memory;
}

static inline int open_map(uint32_t id)
{
	union bpf_attr attr = { .map_id = id };
	int fd = bpf(BPF_MAP_GET_FD_BY_ID, &attr);
	if (fd < 0)
		die("BPF_MAP_GET_FD_BY_ID");
	return fd;
}

static inline struct bpf_map_info map_info(int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { 0 };
	attr.info.bpf_fd = fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		die("BPF_OBJ_GET_INFO_BY_FD");
	return info;
}

static inline double seconds_of(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static inline double now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static inline double cpu_now(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}
