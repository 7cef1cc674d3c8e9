/* SPDX-License-Identifier: MIT */
/* When the directory of the write-ahead log is flushed: each time is seen as an opening of
 * the directory. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "store/stage.h"
#include "suite.h"

static struct stage w;
static int watch;

static void
begin(void)
{
	stage_open(&w, KIND_SQLITE);
	ck_assert_int_ge(watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), 0);
	ck_assert_int_ge(inotify_add_watch(watch, w.dir, IN_OPEN), 0);
}

static void
end(void)
{
	close(watch);
	stage_close(&w);
}

/* How often the directory was opened since. */
static int
count_openings(void)
{
	char bytes[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t n, at;
	int count = 0;

	while ((n = read(watch, bytes, sizeof(bytes))) > 0)
		for (at = 0; at < n;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(bytes + at);
			count +=
			    (event->mask & IN_ISDIR) != 0 && event->len == 0;
		}
	return count;
}

static void
submit(const char *id)
{
	struct party *p = party_open(&w, NULL);

	ck_assert_int_eq(party_submit(p, id, "[1]", 0, 0), ERR_NONE);
	party_close(p);
}

static const char *
log_path(void)
{
	static char path[sizeof(w.dir) + 32];

	snprintf(path, sizeof(path), "%s-wal", stage_path(&w));
	return path;
}

START_TEST(who_makes_the_log_flushes_its_directory)
{
	begin();
	submit("1");
	ck_assert_int_ge(count_openings(), 1);
	end();
}
END_TEST

START_TEST(who_finds_a_log_with_something_in_it_does_not)
{
	begin();
	submit("1");
	count_openings();
	submit("2");
	ck_assert_int_eq(count_openings(), 0);
	end();
}
END_TEST

/* Its maker may have been killed before it could. */
START_TEST(who_finds_an_empty_log_flushes_its_directory)
{
	begin();
	submit("1");
	count_openings();
	ck_assert_int_eq(truncate(log_path(), 0), 0);
	submit("2");
	ck_assert_int_ge(count_openings(), 1);
	end();
}
END_TEST

SUITE("sqlite-vfs")
{
	TEST(who_makes_the_log_flushes_its_directory);
	TEST(who_finds_a_log_with_something_in_it_does_not);
	TEST(who_finds_an_empty_log_flushes_its_directory);
}
