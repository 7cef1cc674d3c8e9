/* SPDX-License-Identifier: MIT */
/*
 * UUIDs of the versions 4 and 7 (RFC 9562).
 *
 * A submitter makes an ID before it reaches any server, so IDs must not collide
 * without coordination. Those of one process differ by their time, which is never
 * the same twice; those of two by it, or by 62 random bits. Stores keep IDs in
 * trees: what is in the order of time goes into their last page, while random
 * ones each touch a page of their own.
 *
 * The kernel is asked for many random bytes at a time, since a system call would
 * cost more than the rest of the function.
 */
#include "util/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "util/clock.h"

#define ID_BYTES 16 /* 128 bits, RFC 9562 */
/* The kernel gives up to 256 bytes in one go, uninterrupted. */
#define POOL_BYTES 256
/* Bits of a fraction of a millisecond (section 6.2, method 3). */
#define FRACTION_BITS 12

/* One for each thread: no lock is needed. `generation` is that of the process
 * that filled it. */
struct pool {
	unsigned char bytes[POOL_BYTES];
	size_t left;
	unsigned int generation;
};

static _Thread_local struct pool pool;

/* Counts forks: a child must not hand out the bytes its parent has in store. */
static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The time in the ID that was made last: milliseconds and their fraction. */
static _Atomic uint64_t last_time;

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

/* Takes random bytes out of the pool. */
static void
take_random(unsigned char *bytes, size_t n)
{
	unsigned int now;

	pthread_once(&once, watch_forks);
	now = atomic_load(&generation);
	if (pool.left < n || pool.generation != now)
		pool_fill(now);
	pool.left -= n;
	memcpy(bytes, pool.bytes + pool.left, n);
}

/* A clock that was set back, or too many IDs at a time: the next ones count on
 * from the last. */
static uint64_t
take_time(void)
{
	const int64_t us = clock_wall_us();
	const uint64_t now_us = us > 0 ? (uint64_t)us : 0;
	const uint64_t now = now_us / 1000 << FRACTION_BITS |
			     (now_us % 1000 << FRACTION_BITS) / 1000;
	uint64_t last = atomic_load(&last_time), next;

	do
		next = now > last ? now : last + 1;
	while (!atomic_compare_exchange_weak(&last_time, &last, next));
	return next;
}

static void
write_text(unsigned char id[ID_BYTES], unsigned int version,
	   char text[UUID_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *p = text;
	int i;

	id[6] = (unsigned char)((id[6] & 0x0f) | version << 4);
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

void
uuid_make(char text[UUID_TEXT_SIZE])
{
	const uint64_t now = take_time();
	const uint64_t ms = now >> FRACTION_BITS;
	unsigned char id[ID_BYTES];
	int i;

	for (i = 0; i < 6; i++)
		id[i] = (unsigned char)(ms >> (40 - 8 * i));
	id[6] = (unsigned char)(now >> 8 & 0x0f);
	id[7] = (unsigned char)now;
	take_random(id + 8, ID_BYTES - 8);
	write_text(id, 7, text);
}

void
uuid_make_random(char text[UUID_TEXT_SIZE])
{
	unsigned char id[ID_BYTES];

	take_random(id, sizeof(id));
	write_text(id, 4, text);
}

void
uuid_of_digest(const unsigned char digest[UUID_DIGEST_SIZE],
	       char text[UUID_TEXT_SIZE])
{
	unsigned char id[ID_BYTES];

	memcpy(id, digest, sizeof(id));
	write_text(id, 8, text);
}
