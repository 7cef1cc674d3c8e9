/* SPDX-License-Identifier: MIT */
/* Tests of task ids. */
#include "util/uuid.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

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

static void
make_some(char (*ids)[UUID_TEXT_SIZE], size_t n)
{
	while (n-- > 0)
		uuid_make(*ids++);
}

START_TEST(an_id_has_the_form_of_rfc_9562)
{
	char id[UUID_TEXT_SIZE];
	int i, n;

	for (n = 0; n < N_IDS; n++) {
		memset(id, 'x', sizeof(id));
		uuid_make(id);
		ck_assert_uint_eq(strnlen(id, sizeof(id)), 36);
		ck_assert_int_eq(id[14], '4');
		ck_assert_ptr_nonnull(strchr("89ab", id[19]));
		for (i = 0; i < 36; i++)
			ck_assert_ptr_nonnull(
			    strchr(i == 8 || i == 13 || i == 18 || i == 23
				       ? "-"
				       : "0123456789abcdef",
				   id[i]));
	}
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
thread_main(void *ids)
{
	make_some(ids, N_IDS);
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
	TEST(an_id_has_the_form_of_rfc_9562);
	TEST(no_two_ids_are_the_same);
	TEST(a_child_does_not_repeat_its_parents_ids);
	TEST(threads_do_not_share_ids);
}
