/* SPDX-License-Identifier: MIT */
/* Wall clocks of programs that are wrong, and are stepped. */
#include "soak/clocks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "redis_server.h"

#define HOUR_US INT64_C(3600000000)

/* The shift of a program's clock, in µs. */
volatile int64_t *
clocks_of(struct scene *s, const char *clocks, const char *program)
{
	char path[4096];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s.%s", clocks, program);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, sizeof(int64_t)), 0);
	p = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	close(fd);
	return p;
}

/* All programs that are started from now on have clocks that can be wrong. */
void
clocks_preload(char clocks[static 32])
{
	char shim[4096];

	strcpy(clocks, "/tmp/flowrra-clock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(clocks));
	snprintf(shim, sizeof(shim), "%s/tests/soak/clock_shim.so",
		 getenv("BUILD_DIR"));
	strcat(clocks, "/");
	setenv("SOAK_CLOCK", clocks, 1);
	setenv("LD_PRELOAD", shim, 1);
}

void
clocks_clean_up(const char *clocks)
{
	const char *const programs[] = {"flowrrad", "flowrra-executor",
					basename(redis_server_program())};
	char path[4096];
	size_t i;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		snprintf(path, sizeof(path), "%s.%s", clocks, programs[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s", clocks);
	path[strlen(path) - 1] = '\0';
	rmdir(path);
}

void
clocks_step(struct scene *s, volatile int64_t *shift)
{
	static const int64_t steps[] = {HOUR_US, -HOUR_US, 0};

	*shift = steps[rng_between(&s->rng, 0, 2)];
	s->tally->faults++;
}
