/* SPDX-License-Identifier: MIT */
/* Tests of IDs. */
#include "util/uuid.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/clock.h"

#define N_IDS 1000

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
assert_all_differ(char (*ids)[UUID_TEXT_SIZE], size_t n)
{
	size_t i;

	qsort(ids, n, UUID_TEXT_SIZE, compare);
	for (i = 1; i < n; i++)
		ck_assert_str_ne(ids[i - 1], ids[i]);
}

/* IDs and random ones by turns. */
static void
make_some(char (*ids)[UUID_TEXT_SIZE], size_t n)
{
	while (n-- > 0)
		if (n % 2 == 0)
			uuid_make(*ids++);
		else
			uuid_make_random(*ids++);
}

static void
assert_form(const char id[UUID_TEXT_SIZE], char version)
{
	int i;

	ck_assert_uint_eq(strnlen(id, UUID_TEXT_SIZE), 36);
	ck_assert_int_eq(id[14], version);
	ck_assert_ptr_nonnull(strchr("89ab", id[19]));
	for (i = 0; i < 36; i++)
		ck_assert_ptr_nonnull(
		    strchr(i == 8 || i == 13 || i == 18 || i == 23
			       ? "-"
			       : "0123456789abcdef",
			   id[i]));
}

START_TEST(ids_have_the_form_of_rfc_9562)
{
	char id[UUID_TEXT_SIZE];
	int n;

	for (n = 0; n < N_IDS; n++) {
		memset(id, 'x', sizeof(id));
		uuid_make(id);
		assert_form(id, '7');
		memset(id, 'x', sizeof(id));
		uuid_make_random(id);
		assert_form(id, '4');
	}
}
END_TEST

START_TEST(the_same_digest_always_has_the_same_id)
{
	static const unsigned char digest[UUID_DIGEST_SIZE] = {
	    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0xf6, 0x77,
	    0xff, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	char id[UUID_TEXT_SIZE];

	uuid_of_digest(digest, id);
	ck_assert_str_eq(id, "00112233-4455-8677-bf99-aabbccddeeff");
}
END_TEST

/* The first 48 bits. */
static int64_t
time_of(const char id[UUID_TEXT_SIZE])
{
	uint64_t high, low;

	ck_assert_int_eq(sscanf(id, "%8" SCNx64 "-%4" SCNx64, &high, &low), 2);
	return (int64_t)(high << 16 | low);
}

static int64_t wall_us;

static int64_t
wall_now(void)
{
	return wall_us;
}

static const struct clock_source wall = {.wall_us = wall_now};

START_TEST(an_id_begins_with_the_time_of_its_making)
{
	const int64_t before_ms = clock_wall_us() / 1000;
	char id[UUID_TEXT_SIZE];

	uuid_make(id);
	ck_assert_int_ge(time_of(id), before_ms);
	ck_assert_int_le(time_of(id), clock_wall_us() / 1000);
	/* Half of a millisecond is half of 4096. */
	wall_us = INT64_C(4000000000000500);
	clock_replace(&wall);
	uuid_make(id);
	ck_assert_int_eq(time_of(id), INT64_C(4000000000000));
	ck_assert_int_eq(strncmp(id + 14, "7800", 4), 0);
	clock_replace(NULL);
}
END_TEST

START_TEST(ids_are_in_the_order_of_their_making_whatever_the_clock_does)
{
	char last[UUID_TEXT_SIZE] = "", id[UUID_TEXT_SIZE];
	int i;

	wall_us = INT64_C(1700000000000000);
	clock_replace(&wall);
	/* It stands still, goes back by a day, and behind 1970. */
	for (i = 0; i < 3 * 5000; i++) {
		if (i == 5000)
			wall_us -= INT64_C(86400000000);
		else if (i == 10000)
			wall_us = -1;
		uuid_make(id);
		ck_assert_int_lt(strcmp(last, id), 0);
		memcpy(last, id, sizeof(last));
	}
	clock_replace(NULL);
	ck_assert_int_le(time_of(id), INT64_C(1700000000000) + 4);
	uuid_make(id);
	ck_assert_int_lt(strcmp(last, id), 0);
}
END_TEST

START_TEST(no_two_ids_are_the_same)
{
	static char ids[N_IDS][UUID_TEXT_SIZE];

	make_some(ids, N_IDS);
	assert_all_differ(ids, N_IDS);
}
END_TEST

START_TEST(a_child_does_not_repeat_its_parents_ids)
{
	static char ids[100][UUID_TEXT_SIZE];
	int fds[2];
	pid_t pid;

	/* So that there are ids in store when the child is made. */
	uuid_make(ids[0]);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0) {
		make_some(ids, 50);
		_exit(write(fds[1], ids, sizeof(ids[0]) * 50) ==
			      sizeof(ids[0]) * 50
			  ? 0
			  : 1);
	}
	make_some(ids, 50);
	ck_assert_int_eq(
	    read(fds[0], (char *)ids + sizeof(ids) / 2, sizeof(ids[0]) * 50),
	    sizeof(ids[0]) * 50);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	assert_all_differ(ids, 100);
}
END_TEST

static void *
thread_main(void *arg)
{
	char(*ids)[UUID_TEXT_SIZE] = arg;
	int i;

	make_some(ids, N_IDS);
	/* Those of a thread are in order, too, while others make some. */
	for (i = 3; i < N_IDS; i += 2)
		ck_assert_int_lt(strcmp(ids[i - 2], ids[i]), 0);
	return NULL;
}

START_TEST(threads_do_not_share_ids)
{
	static char ids[4 * N_IDS][UUID_TEXT_SIZE];
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main,
						ids[i * N_IDS]),
				 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_all_differ(ids, 4 * N_IDS);
}
END_TEST

SUITE("uuid")
{
	TEST(ids_have_the_form_of_rfc_9562);
	TEST(the_same_digest_always_has_the_same_id);
	TEST(an_id_begins_with_the_time_of_its_making);
	TEST(ids_are_in_the_order_of_their_making_whatever_the_clock_does);
	TEST(no_two_ids_are_the_same);
	TEST(a_child_does_not_repeat_its_parents_ids);
	TEST(threads_do_not_share_ids);
}
