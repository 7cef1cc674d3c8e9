/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program, shifts its wall clock by as many µs as stand in the
 * file $SOAK_CLOCK.PROGRAM (an int64_t), now, and whenever that changes. There
 * is no need to touch the clock of the machine.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_us;

__attribute__((constructor)) static void
map_offset(void)
{
	const char *prefix = getenv("SOAK_CLOCK");
	char path[4096];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s.%s", prefix ? prefix : "",
		 program_invocation_short_name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	p = mmap(NULL, sizeof(*offset_us), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		offset_us = p;
}

static int64_t
wall_us(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 +
	       (offset_us != NULL ? *offset_us : 0);
}

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int64_t us;

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, t);
	us = wall_us();
	*t = (struct timespec){.tv_sec = us / 1000000,
			       .tv_nsec = us % 1000000 * 1000};
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	const int64_t us = wall_us();

	tv->tv_sec = us / 1000000;
	tv->tv_usec = us % 1000000;
	return 0;
}

time_t
time(time_t *ret)
{
	const time_t t = wall_us() / 1000000;

	if (ret != NULL)
		*ret = t;
	return t;
}

/* A timer that is to follow the clock when it is set does so here no sooner
 * than it is armed again. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *at,
		struct itimerspec *old)
{
	struct itimerspec real = *at;
	int64_t us;

	if ((flags & TFD_TIMER_CANCEL_ON_SET) != 0 && offset_us != NULL &&
	    (at->it_value.tv_sec != 0 || at->it_value.tv_nsec != 0)) {
		us = (int64_t)at->it_value.tv_sec * 1000000 +
		     at->it_value.tv_nsec / 1000 - *offset_us;
		real.it_value = (struct timespec){
		    .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	}
	return (int)syscall(SYS_timerfd_settime, fd, flags, &real, old);
}
