/* SPDX-License-Identifier: MIT */
/*
 * Random task IDs: UUIDs of version 4 (RFC 9562).
 *
 * A submitter makes an ID before it reaches any server, so IDs must not collide
 * without coordination; 122 random bits do not. The kernel is asked for 16 IDs
 * at a time, since a system call would cost more than the rest of the function.
 */
#include "util/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define ID_BYTES 16 /* 128 bits, RFC 9562 */
/* The kernel gives up to 256 bytes in one go, uninterrupted. */
#define POOL_BYTES 256

/* One for each thread: no lock is needed. `generation` is that of the process
 * that filled it. */
struct pool {
	unsigned char bytes[POOL_BYTES];
	size_t left;
	unsigned int generation;
};

static _Thread_local struct pool pool;

/* Counts forks: a child must not hand out the ids its parent has in store. */
static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
on_fork(void)
{
	atomic_fetch_add(&generation, 1);
}

static void
watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, on_fork) != 0)
		abort();
}

/* Aborts when the kernel has no random bytes: IDs that are not random could
 * overwrite the records of other tasks, and no caller could do better. */
static void
pool_fill(unsigned int now)
{
	ssize_t n;

	do
		n = getrandom(pool.bytes, sizeof(pool.bytes), 0);
	while (n == -1 && errno == EINTR);
	if (n != (ssize_t)sizeof(pool.bytes))
		abort();
	pool.left = sizeof(pool.bytes);
	pool.generation = now;
}

void
uuid_make(char text[UUID_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char *id;
	unsigned int now;
	char *p = text;
	int i;

	pthread_once(&once, watch_forks);
	now = atomic_load(&generation);
	if (pool.left < ID_BYTES || pool.generation != now)
		pool_fill(now);
	pool.left -= ID_BYTES;
	id = pool.bytes + pool.left;
	id[6] = (id[6] & 0x0f) | 0x40; /* version 4 */
	id[8] = (id[8] & 0x3f) | 0x80; /* the variant of RFC 9562 */
	for (i = 0; i < ID_BYTES; i++) {
		/* The groups of 8-4-4-4-12 digits that RFC 9562 prescribes. */
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[id[i] >> 4];
		*p++ = hex[id[i] & 15];
	}
	*p = '\0';
}
