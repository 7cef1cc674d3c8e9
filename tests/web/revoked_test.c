/* SPDX-License-Identifier: MIT */
/* The list of logouts and used codes: its bounds, and that none is lost when two
 * daemons write it at the same time. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/revoked.h"

#define NOW_S INT64_C(1800000000)

static char dir[128], list_path[160], lock_path[160];
static struct web_revoked *list;
static int64_t wall_us, mono_us;

static int64_t
revoked_wall(void)
{
	return wall_us;
}

static int64_t
revoked_mono(void)
{
	return mono_us;
}

static struct web_revoked *
open_list(void)
{
	struct err err;
	struct web_revoked *r = revoked_new(list_path, lock_path, &err);

	ck_assert_msg(r != NULL, "%s", err.msg);
	return r;
}

static void
revoked_begin(void)
{
	static const struct clock_source clock = {.wall_us = revoked_wall,
						  .mono_us = revoked_mono};
	const char *tmp = getenv("TMPDIR");
	FILE *lock;

	snprintf(dir, sizeof(dir), "%s/revoked-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(list_path, sizeof(list_path), "%s/list", dir);
	snprintf(lock_path, sizeof(lock_path), "%s/lock", dir);
	ck_assert_ptr_nonnull(lock = fopen(lock_path, "we"));
	fclose(lock);
	wall_us = NOW_S * 1000000;
	mono_us = 1000000;
	clock_replace(&clock);
	list = open_list();
}

static void
revoked_end(void)
{
	char command[160];

	clock_replace(NULL);
	revoked_free(list);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct revoked
one_of(const char *stamp, uint64_t nonce, int64_t until_s)
{
	struct revoked one = {.nonce = nonce, .until_s = until_s};

	snprintf(one.stamp, sizeof(one.stamp), "%s", stamp);
	return one;
}

static void
add(const char *stamp, uint64_t nonce, int64_t until_s)
{
	const struct revoked one = one_of(stamp, nonce, until_s);
	struct err err;

	ck_assert_int_eq(revoked_add(list, &one, &err), 0);
}

static bool
has(const char *stamp, uint64_t nonce, int64_t until_s)
{
	const struct revoked one = one_of(stamp, nonce, until_s);

	return revoked_has(list, &one);
}

/* Nonces 1 to n of "a", of which the latest ends is in the middle. */
static void
fill(uint64_t n)
{
	uint64_t i;

	for (i = 1; i <= n; i++)
		add("a", i, NOW_S + 100 + (i == n / 2 ? 1000 : (int64_t)i));
}

START_TEST(as_many_as_are_named_end_no_other_session)
{
	fill(REVOKED_EACH);
	ck_assert_uint_eq(revoked_count(list), REVOKED_EACH);
	ck_assert(has("a", 1, NOW_S + 101));
	ck_assert(!has("a", 999, NOW_S + 101));
	ck_assert(!has("b", 999, NOW_S + 101));
}
END_TEST

START_TEST(one_more_ends_all_that_end_no_later_than_the_last)
{
	fill(REVOKED_EACH + 1);
	ck_assert_uint_eq(revoked_count(list), 1);
	ck_assert(has("a", 999, NOW_S + 1100));
	/* That began after all of them, and another credential's. */
	ck_assert(!has("a", 999, NOW_S + 1101));
	ck_assert(!has("b", 999, NOW_S + 1100));
}
END_TEST

START_TEST(those_that_have_ended_by_themselves_make_room_first)
{
	fill(REVOKED_EACH);
	wall_us += INT64_C(1101) * 1000000;
	add("a", 1000, NOW_S + 5000);
	ck_assert_uint_eq(revoked_count(list), 1);
	ck_assert(has("a", 1000, NOW_S + 5000));
	ck_assert(!has("a", 1001, NOW_S + 5000));
}
END_TEST

/* --- two daemons -------------------------------------------------------------- */

/* Whether the process waits for a lock, by what the kernel says. */
static bool
waits_for_lock(pid_t pid)
{
	char line[256], word[32];
	bool found = false;
	FILE *locks = fopen("/proc/locks", "re");

	ck_assert_ptr_nonnull(locks);
	snprintf(word, sizeof(word), " %d ", (int)pid);
	while (fgets(line, sizeof(line), locks) != NULL)
		found = found || (strstr(line, "->") != NULL &&
				  strstr(line, word) != NULL);
	fclose(locks);
	return found;
}

/* Adds one, and says so. */
static void
be_another(int done)
{
	struct err err;
	struct web_revoked *r = revoked_new(list_path, lock_path, &err);
	const struct revoked one = one_of("b", 2, NOW_S + 100);

	if (r == NULL || revoked_add(r, &one, &err) != 0 ||
	    write(done, "", 1) != 1)
		_exit(1);
	_exit(0);
}

START_TEST(another_daemon_does_not_write_while_one_does)
{
	int done[2], status, lock = open(lock_path, O_RDONLY | O_CLOEXEC);
	struct pollfd ready = {.events = POLLIN};
	pid_t pid;

	ck_assert_int_eq(flock(lock, LOCK_EX), 0);
	ck_assert_int_eq(pipe(done), 0);
	ck_assert_int_ge(pid = fork(), 0);
	if (pid == 0)
		be_another(done[1]);
	ready.fd = done[0];
	/* Either it waits, or it has written; Check's time-out ends this. */
	while (!waits_for_lock(pid))
		ck_assert_int_eq(poll(&ready, 1, 10), 0);
	ck_assert_int_eq(flock(lock, LOCK_UN), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(lock);
	/* What was read before the other one wrote does not overwrite it. */
	add("a", 1, NOW_S + 100);
	revoked_free(list);
	list = open_list();
	ck_assert(has("b", 2, NOW_S + 100));
	ck_assert(has("a", 1, NOW_S + 100));
}
END_TEST

/* Others may change it for a moment: then it is not believed. */
START_TEST(a_list_that_could_not_be_read_is_read_again)
{
	struct web_revoked *other = open_list();
	const struct revoked one = one_of("a", 1, NOW_S + 100);
	struct err err;

	ck_assert_int_eq(revoked_add(other, &one, &err), 0);
	revoked_free(other);
	ck_assert_int_eq(chmod(list_path, 0620), 0);
	mono_us += 1000000;
	ck_assert(!has("a", 1, NOW_S + 100));
	ck_assert_int_eq(chmod(list_path, 0600), 0);
	mono_us += 1000000;
	ck_assert(has("a", 1, NOW_S + 100));
}
END_TEST

SUITE("web-revoked")
{
	tcase_add_checked_fixture(suite_case_, revoked_begin, revoked_end);
	TEST(as_many_as_are_named_end_no_other_session);
	TEST(one_more_ends_all_that_end_no_later_than_the_last);
	TEST(those_that_have_ended_by_themselves_make_room_first);
	TEST(another_daemon_does_not_write_while_one_does);
	TEST(a_list_that_could_not_be_read_is_read_again);
}
