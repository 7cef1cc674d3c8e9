/* SPDX-License-Identifier: MIT */
/* Names of commands: what they are called, alone and for short, and what a word
 * that is mistyped is answered with. */
#include <string.h>

#include "e2e/operate_scene.h"

START_TEST(the_name_alone_prints_an_overview)
{
	struct world *w = begin(_i);
	const struct run *r;
	size_t lines = 0;
	const char *p;

	put(w, "a", "--delay 1h");
	put(w, "b", "--queue cpu");
	ctl_ok(w, "queue pause cpu");
	ck_run(r = ctl(w, "%s", ""), 0, r->out);
	for (p = r->out; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_uint_le(lines, 12);
	ck_assert_ptr_nonnull(strstr(r->out, "workers   0 alive"));
	ck_assert_ptr_nonnull(strstr(r->out, "1 waiting, 1 delayed"));
	ck_assert_ptr_nonnull(strstr(r->out, "cpu 1 waiting (paused)"));
	ck_assert_ptr_nonnull(strstr(r->out, "problem   workers: "));
	ck_run(ctl(w, "status"), 0, r->out);
	ck_answer(w, "status", "stats.waiting", "1");
	ck_assert_ptr_nonnull(
	    strstr(answer(w, "status", "components"), "scheduler_database"));
	worker_start(w, NULL);
	WAIT_UNTIL(strstr(ctl_ok(w, "status"), "workers   1 alive") != NULL);
	ck_assert_ptr_null(strstr(ctl_ok(w, "status"), "problem"));
	world_stop(w);
}
END_TEST

START_TEST(a_group_alone_lists_what_it_is_about)
{
	struct world *w = begin(_i);
	const char *tasks, *queues;

	put(w, "a", "--queue io");
	put(w, "b", "--queue io --delay 1h");
	tasks = ctl_ok(w, "tasks");
	ck_assert_ptr_nonnull(strstr(tasks, "a\tadd\tio\twaiting\t"));
	ck_assert_ptr_nonnull(strstr(tasks, "b\tadd\tio\tdelayed\t"));
	ck_assert_str_eq(ctl_ok(w, "task"), tasks);
	ck_assert_str_eq(ctl_ok(w, "tasks list -n 5"), tasks);
	ck_assert_str_eq(ctl_ok(w, "ls"), tasks);
	ck_assert_str_eq(ctl_ok(w, "ls --queue io -n 5"), tasks);
	ck_assert_ptr_null(strchr(ctl_ok(w, "tasks -n 1"), '\n'));
	ck_assert_str_eq(ctl_ok(w, "ps"), "");
	queues = ctl_ok(w, "queues --columns queue,waiting");
	ck_assert_str_eq(ctl_ok(w, "queue --columns queue,waiting"), queues);
	ck_assert_str_eq(ctl_ok(w, "queue list --columns queue,waiting"),
			 queues);
	ck_assert_str_eq(ctl_ok(w, "worker"), "");
	ck_assert_str_eq(ctl_ok(w, "worker list"), "");
	ctl_ok(w, "schedule interval add 1h --id s --force --queue io");
	ck_assert_str_eq(ctl_ok(w, "schedule"), ctl_ok(w, "schedule list"));
	ck_assert_str_eq(ctl_ok(w, "schedules"), ctl_ok(w, "schedule list"));
	/* One that runs comes first, with its worker. */
	ctl_ok(w, "rm a b");
	worker_start(w, NULL);
	submit(w, "sleep 60 --id long");
	WAIT_UNTIL(strstr(ctl_ok(w, "ps"), "long\tsleep") != NULL);
	submit(w, "add 1 1 --delay 1h --id late");
	tasks = ctl_ok(w, "tasks");
	ck_assert_ptr_eq(strstr(tasks, "long\tsleep\t"), tasks);
	ck_assert_ptr_nonnull(strstr(tasks, "\trunning\t"));
	ck_assert_ptr_nonnull(strstr(tasks, "\nlate\tadd\tio\tdelayed\t"));
	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

START_TEST(a_group_may_be_in_the_singular_or_the_plural)
{
	struct world *w = begin(_i);

	put(w, "a", "--queue io");
	ck_assert_str_eq(ctl_ok(w, "task show a"), ctl_ok(w, "tasks show a"));
	ctl_ok(w, "queues pause io");
	ck_only(w, "queues io", "paused", "true");
	/* This is the queue of that name. */
	ck_complains(ctl(w, "queues pause"), 2, "no such queue \"pause\"");
	ck_complains(ctl(w, "queues list"), 2, "no such queue \"list\"");
	ck_complains(ctl(w, "workers stop nope"), 2, "unknown worker");
	ck_assert(strcmp(ctl_ok(w, "help task"), ctl_ok(w, "tasks --help")) ==
		  0);
	world_stop(w);
}
END_TEST

SUITE("names")
{
	TEST_BOTH(the_name_alone_prints_an_overview);
	TEST_BOTH(a_group_alone_lists_what_it_is_about);
	TEST_BOTH(a_group_may_be_in_the_singular_or_the_plural);
}
