/* SPDX-License-Identifier: MIT */
/* Waiting for many tasks: IDs from a pipe, a queue, and what was just submitted. */
#include <stdio.h>
#include <string.h>

#include "e2e/operate_scene.h"

/* n tasks that add i and 1, as lines of submit --stdin. */
#define TASKS "seq 1 %d | sed 's/.*/{\"name\":\"add\",\"args\":[&,1]}/'"
#define CTL "flowrractl --config flowrra.conf "

START_TEST(results_come_in_the_order_of_the_ids)
{
	struct world *w = begin(_i);
	const char *slow, *bad, *good, *out;
	struct run *r;

	worker_start(w, NULL);
	slow = submit(w, "sleep 0.3");
	bad = submit(w, "fail why --max-retries 0");
	good = submit(w, "add 1 2");
	r = run(w,
		"printf '%%s\\n' %s %s '' no-such-id 'not an id' %s | " CTL
		"wait --stdin",
		slow, bad, good);
	ck_assert_int_eq(r->status, 65);
	ck_assert_str_eq(r->out, world_text(w, "%s\t0.3\n%s\t\n\n\n\n%s\t3\n",
					    slow, bad, good));
	ck_assert_ptr_nonnull(strstr(r->err, "line 3: no ID"));
	ck_assert_ptr_nonnull(strstr(r->err, "line 4: no record of task no-s"));
	ck_assert_ptr_nonnull(strstr(r->err, "line 5: \"not an id\" is not"));
	ck_assert_ptr_nonnull(strstr(r->err, "why"));
	ck_assert_int_eq(
	    run(w, "printf '%s\\n%s' | " CTL "wait --stdin", bad, good)->status,
	    1);
	out = run(w, "printf '%s\\nx\\n' | " CTL "wait --stdin --json", good)
		  ->out;
	ck_assert_ptr_nonnull(strstr(out, "\"result\":3"));
	ck_assert_ptr_nonnull(strstr(out, "{\"line\":2,\"code\":2,"));
	r = run(w, "yes '' | head -n 9 | " CTL "wait --stdin");
	ck_assert_ptr_nonnull(strstr(r->err, "6 more lines with this problem"));
	/* The time is over: one look at each all the same. */
	slow = submit(w, "sleep 60");
	r = run(w, "printf '%s\\n%s\\n' | " CTL "wait --stdin --timeout 0",
		slow, good);
	ck_assert_int_eq(r->status, 3);
	ck_assert_str_eq(r->out, world_text(w, "\n%s\t3\n", good));
	/* It is over also while a writer says nothing. */
	ck_complains(run(w,
			 "{ echo %s; exec sleep 50; } | " CTL
			 "wait --stdin --timeout 0.3",
			 slow),
		     3, "has not finished within 0.3 s");
	ctl_ok(w, "cancel %s", slow);
	ck_complains(ctl(w, "wait --stdin --any"), 64, "need IDs");
	ck_complains(ctl(w, "wait --stdin x"), 64, "use one of");
	ck_complains(ctl(w, "wait"), 64, "use one of");
	world_stop(w);
}
END_TEST

/* What has ended is told while more IDs are to come. */
START_TEST(a_slow_writer_reads_each_result_at_once)
{
	struct world *w = begin(_i);
	struct run *r;

	worker_start(w, NULL);
	run(w, "mkfifo ids tasks");
	r = run_start(w, "exec " CTL "wait --stdin <ids >results");
	run(w, "exec 9>ids; " CTL "submit add 1 2 >&9; "
	       "until grep -q '\t3$' results; do sleep 0.02; done; " CTL
	       "submit add 3 4 >&9; "
	       "until grep -q '\t7$' results; do sleep 0.02; done");
	ck_assert_int_eq(run_end(w, r)->status, 0);
	r = run_start(w, "exec " CTL "submit --stdin --wait <tasks >sums");
	run(w, "exec 9>tasks; echo '{\"name\":\"add\",\"args\":[5,6]}' >&9; "
	       "until grep -q '\t11$' sums; do sleep 0.02; done; "
	       "echo 'no JSON' >&9; "
	       "until grep -q '^$' sums; do sleep 0.02; done; "
	       "echo '{\"name\":\"add\",\"args\":[7,8]}' >&9; "
	       "until grep -q '\t15$' sums; do sleep 0.02; done");
	ck_complains(run_end(w, r), 65, "line 2: ");
	world_stop(w);
}
END_TEST

/* More than the ring has room for, the first being the slowest; with the
 * connections cut and the worker killed meanwhile, each comes once. */
START_TEST(thousands_are_awaited_in_their_order_whatever_breaks)
{
	struct world *w = begin(_i);
	struct worker *k = worker_start(w, NULL);
	const char *id = submit(w, "sleep 1");
	struct run *r;
	int i;

	ctl_ok(w, "queue pause io");
	run(w, TASKS " | " CTL "submit --stdin >rest", 3000);
	r = run_start(
	    w, "{ echo %s; cat rest; } | " CTL "wait --stdin >results", id);
	ctl_ok(w, "queue resume io");
	for (i = 0; i < 5; i++) {
		if (_i == ON_REDIS) {
			redis_server_run(world_redis(w),
					 "CLIENT KILL TYPE pubsub");
			redis_server_run(world_redis(w),
					 "CLIENT KILL TYPE normal SKIPME yes");
		}
		if (i == 2) {
			worker_kill(k);
			worker_restart(k);
		}
		run(w, "sleep 0.05");
	}
	ck_run(run_end(w, r), 0, "");
	ck_run(run(w, "cut -f1 results | tail -n +2 | cmp - rest && "
		      "cut -f2 results | tail -n +2 >sums && "
		      "seq 2 3001 | cmp - sums"),
	       0, "");
	world_stop(w);
}
END_TEST

/* The most memory that a process ever had, in KiB; 0 if it is gone. */
static long
peak_kib(struct world *w, pid_t pid)
{
	const char *line =
	    strstr(world_read(w, world_text(w, "/proc/%d/status", (int)pid)),
		   "VmHWM:");
	long kib = 0;

	if (line != NULL)
		sscanf(line, "VmHWM: %ld", &kib);
	return kib;
}

/* Those that listen, the worker's among them. */
static long
connections(struct world *w)
{
	const char *list;
	long n = 0;

	for (list = redis_text(w, world_redis(w), "CLIENT LIST TYPE pubsub");
	     (list = strchr(list, '\n')) != NULL; list++)
		n++;
	return n;
}

/* One connection hears of all, and there is memory for a ring of them. */
START_TEST(a_hundred_thousand_ids_need_one_connection_and_little_memory)
{
	struct world *w = begin(_i);
	long before = 0, most = 0, kib;
	struct run *r;

	worker_start(w, NULL);
	run(w, TASKS " >tasks; " CTL "submit --stdin <tasks >ids", 100000);
	if (_i == ON_REDIS)
		before = connections(w);
	submit(w, "sleep 1 --id slow");
	run(w, "{ echo slow; cat ids; } >all");
	r = run_start(w, "exec " CTL "wait --stdin <all >results");
	WAIT_UNTIL(peak_kib(w, r->pid) > 0);
	if (_i == ON_REDIS)
		WAIT_UNTIL(connections(w) == before + 1);
	while ((kib = peak_kib(w, r->pid)) > 0) {
		most = kib > most ? kib : most;
		run(w, "sleep 0.02");
	}
	ck_run(run_end(w, r), 0, "");
	ck_run(run(w, "tail -n +2 results | cut -f1 | cmp - ids"), 0, "");
	ck_assert_int_gt(most, 1000);
	if (!SANITIZED)
		ck_assert_int_lt(most, 40 * 1024);
	world_stop(w);
}
END_TEST

START_TEST(a_queue_is_awaited_until_nothing_waits_or_runs)
{
	struct world *w = begin(_i);
	struct run *r;

	worker_start(w, NULL);
	ck_complains(ctl(w, "wait --queue no-such-queue"), 2, "no-such-queue");
	ck_run(ctl(w, "wait --queue io"), 0, "");
	submit(w, "sleep 0.4");
	submit(w, "sleep 0.5");
	ck_complains(ctl(w, "wait --queue io --timeout 0.1"), 3,
		     "2 tasks of queue io are left");
	ck_run(ctl(w, "wait --queue io --timeout 50"), 0, "");
	ck_answer(w, "stats", "in_flight", "0");
	/* Delayed ones only if asked for. */
	submit(w, "add 1 2 --delay 700ms --id later");
	ck_run(ctl(w, "wait --queue io"), 0, "");
	ck_complains(ctl(w, "result later"), 3, "pending");
	ck_run(ctl(w, "wait --queue io --delayed --timeout 50"), 0, "");
	ck_run(ctl(w, "result later"), 0, "3\n");
	r = ctl(w, "wait --delayed x");
	ck_complains(r, 64, "--delayed needs --queue");
	world_stop(w);
}
END_TEST

START_TEST(tasks_are_submitted_and_awaited_in_one)
{
	struct world *w = begin(_i);
	struct run *r;

	worker_start(w, NULL);
	r = run(w, "printf '%%s\\n' '{\"name\":\"sleep\",\"args\":[0.2]}' "
		   "'{\"name\":\"fail\",\"max_retries\":0}' 'junk' "
		   "'{\"name\":\"nosuch\"}' "
		   "'{\"name\":\"add\",\"args\":[1,2]}' | " CTL
		   "submit --stdin --wait | cut -f2");
	ck_assert_str_eq(r->out, "0.2\n\n\n\n3\n");
	ck_assert_ptr_nonnull(strstr(r->err, "line 3: "));
	ck_assert_ptr_nonnull(strstr(r->err, "line 4: "));
	r = run(w, TASKS " | " CTL "submit --stdin --wait", 3000);
	ck_assert_int_eq(r->status, 0);
	world_write(w, "out", r->out, strlen(r->out));
	ck_run(run(w, "cut -f2 out >sums; seq 2 3001 | cmp - sums"), 0, "");
	/* The time is over, the tasks go on. */
	ck_complains(run(w, "echo '{\"name\":\"sleep\",\"args\":[60],\"id\":"
			    "\"long\"}' | " CTL
			    "submit --stdin --wait --wait-timeout 0.2"),
		     3, "task long has not finished");
	ctl_ok(w, "cancel long");
	world_stop(w);
}
END_TEST

START_TEST(a_person_sees_how_far_it_is)
{
	struct world *w = begin(_i);
	struct run *r;

	worker_start(w, NULL);
	run(w,
	    "for i in 1 2 3; do " CTL "submit sleep 0.7; done >ids; " CTL
	    "submit fail --max-retries 0 >>ids; " CTL "submit sleep 60 >>ids");
	r = run(w, "script -qec '" CTL
		   "wait --stdin --timeout 1.5 <ids >/dev/null' /dev/null");
	ck_assert_int_eq(r->status, 3);
	ck_assert_msg(strstr(r->out, "4/5 done, 1 failed, ") != NULL, "%s",
		      r->out);
	ck_assert_ptr_nonnull(strstr(r->out, " s left"));
	world_stop(w);
}
END_TEST

SUITE("wait-many")
{
	SUITE_TIMEOUT(180);
	TEST_BOTH(results_come_in_the_order_of_the_ids);
	TEST_BOTH(a_slow_writer_reads_each_result_at_once);
	TEST_BOTH(thousands_are_awaited_in_their_order_whatever_breaks);
	TEST_BOTH(a_hundred_thousand_ids_need_one_connection_and_little_memory);
	TEST_BOTH(a_queue_is_awaited_until_nothing_waits_or_runs);
	TEST_BOTH(tasks_are_submitted_and_awaited_in_one);
	TEST_BOTH(a_person_sees_how_far_it_is);
}
