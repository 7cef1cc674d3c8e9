/* SPDX-License-Identifier: MIT */
/* The tasks of the benchmark, which do nothing but count and read a clock. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <flowrra/module.h>

#include "page.h"

static struct page *page;

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
count(void)
{
	if (atomic_fetch_add(&page->started, 1) == 0)
		atomic_store(&page->first_ns, clock_ns(CLOCK_MONOTONIC));
	if (atomic_fetch_add(&page->ended, 1) + 1 ==
	    atomic_load(&page->expected))
		atomic_store(&page->last_ns, clock_ns(CLOCK_MONOTONIC));
}

static int
noop(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
     json_t **result)
{
	(void)task, (void)args, (void)kwargs, (void)result;
	count();
	return 0;
}

static void
noop_async(struct flowrra_task *task, struct event_base *base,
	   const json_t *args, const json_t *kwargs)
{
	(void)base, (void)args, (void)kwargs;
	count();
	flowrra_finish(task, NULL);
}

/* The wall clock at its start, in microseconds. */
static int
stamp(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
      json_t **result)
{
	(void)task, (void)args, (void)kwargs;
	*result = json_integer(clock_ns(CLOCK_REALTIME) / 1000);
	return 0;
}

static int
map_page(char *error, size_t error_size)
{
	const char *path = getenv("BENCH_PAGE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = MAP_FAILED;

	if (fd >= 0) {
		p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
		close(fd);
	}
	if (p == MAP_FAILED) {
		snprintf(error, error_size, "mapping $BENCH_PAGE: %s",
			 path != NULL ? strerror(errno) : "not set");
		return -1;
	}
	page = p;
	return 0;
}

static const struct flowrra_task_type tasks[] = {
    {.name = "noop", .run = noop, FLOWRRA_TASK_DEFAULTS},
    {.name = "noop_cpu", .run = noop, .cpu_bound = true, FLOWRRA_TASK_DEFAULTS},
    {.name = "noop_async", .start = noop_async, FLOWRRA_TASK_DEFAULTS},
    {.name = "stamp", .run = stamp, FLOWRRA_TASK_DEFAULTS},
};

__attribute__((visibility("default"))) const struct flowrra_module *
flowrra_module(void)
{
	static const struct flowrra_module module = {
	    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
	    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,
	    .name = "bench",
	    .version = "1",
	    .tasks = tasks,
	    .n_tasks = sizeof(tasks) / sizeof(tasks[0]),
	    .task_size = sizeof(tasks[0]),
	    .init = map_page,
	};

	return &module;
}
