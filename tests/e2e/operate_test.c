/* SPDX-License-Identifier: MIT */
/* What those who run it do with queues, tasks and workers, on Redis and on
 * SQLite. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "e2e/operate_scene.h"

/* --- queues ------------------------------------------------------------ */

START_TEST(a_queue_is_listed_paused_resumed_and_purged)
{
	struct world *w = begin(_i);

	put(w, "a", "");
	put(w, "b", "--priority 3");
	put(w, "c", "--delay 1h");
	ck_only(w, "queues io", "waiting", "2");
	ck_only(w, "queues io", "delayed", "1");
	ck_only(w, "queues io", "paused", "false");
	ck_assert_str_ne(json_field(w, only(w, "queues io"), "next_due_at"),
			 "null");
	ck_run(ctl(w, "queue pause io"), 0, "");
	ck_only(w, "queues io", "paused", "true");
	worker_start(w, NULL);
	ck_complains(ctl(w, "wait a --timeout 0.3"), 3, "0.3 s");
	ck_run(ctl(w, "queue purge io --dry-run"), 0, "3\n");
	ck_run(ctl(w, "cancel a"), 0, "");
	ck_run(ctl(w, "queue purge io"), 0, "2\n");
	ck_complains(ctl(w, "wait b"), 1, "cancelled");
	ck_complains(ctl(w, "wait c"), 1, "cancelled");
	ck_only(w, "queues io", "waiting", "0");
	ck_only(w, "queues io", "delayed", "0");
	put(w, "d", "");
	ck_run(ctl(w, "queue resume io"), 0, "");
	ck_run(ctl(w, "wait d --timeout 20"), 0, "5\n");
	ck_complains(ctl(w, "queues nope"), 2, "nope");
	ck_complains(ctl(w, "queue purge nope"), 2, "nope");
	world_stop(w);
}
END_TEST

/* --- cancelling -------------------------------------------------------- */

START_TEST(a_task_is_cancelled_wherever_it_is)
{
	struct world *w = begin(_i);

	put(w, "waits", "");
	put(w, "later", "--delay 1h");
	ck_run(ctl(w, "cancel waits --json"), 0,
	       "{\"id\":\"waits\",\"outcome\":\"cancelled\"}\n");
	worker_start(w, NULL);
	submit(w, "sleep 60 --id runs");
	WAIT_UNTIL(says(w, "tasks show runs", "record.status", "running"));
	ck_run(ctl(w, "cancel runs later"), 0, "");
	ck_complains(ctl(w, "wait waits --timeout 20"), 1, "cancelled");
	ck_complains(ctl(w, "wait later --timeout 20"), 1, "cancelled");
	ck_complains(ctl(w, "wait runs --timeout 20"), 1, "cancelled");
	ck_only(w, "queues io", "delayed", "0");
	ck_complains(ctl(w, "cancel runs"), 77, "has finished");
	ck_complains(ctl(w, "cancel nope waits"), 77, "no record of task nope");
	ck_complains(ctl(w, "cancel nope"), 2, "no record of task nope");
	world_stop(w);
}
END_TEST

START_TEST(whoever_waits_for_a_task_is_told_that_it_was_cancelled)
{
	struct world *w = begin(_i);
	struct run *waiter;

	put(w, "waits", "");
	waiter = run_start(w, "flowrractl --config flowrra.conf wait waits");
	ctl_ok(w, "cancel waits");
	ck_complains(run_end(w, waiter), 1, "cancelled before it started");
	world_stop(w);
}
END_TEST

/* A worker that died leaves such a record behind. */
START_TEST(a_task_that_waits_is_withdrawn_though_its_record_says_it_runs)
{
	struct world *w = begin(ON_REDIS);
	static const char *const ids[] = {"waits", "later"};
	int i;

	put(w, "waits", "");
	put(w, "later", "--delay 1h");
	for (i = 0; i < 2; i++) {
		redis_server_run(world_redis(w), "SET flowrra:task:%s %s",
				 ids[i],
				 "{\"status\":\"running\",\"queue\":\"io\","
				 "\"task_name\":\"add\"}");
		ck_answer(w, world_text(w, "cancel %s", ids[i]), "outcome",
			  "cancelled");
		ck_field(w, ids[i], "reason", "cancelled");
	}
	ck_assert_int_eq(waiting(w, "io"), 0);
	ck_assert_int_eq(delayed(w, "io"), 0);
	world_stop(w);
}
END_TEST

START_TEST(a_task_that_was_withdrawn_but_not_recorded_can_be_cancelled_again)
{
	struct world *w = begin(ON_REDIS);

	put(w, "lost", "");
	redis_server_run(world_redis(w), "DEL flowrra:queue:io");
	ck_answer(w, "cancel lost", "outcome", "cancelled");
	ck_complains(ctl(w, "wait lost"), 1, "cancelled");
	/* In flight, it has an owner who will hear of it. */
	put(w, "held", "");
	redis_server_run(world_redis(w), "ZADD flowrra:workers 1 test:9");
	redis_server_run(world_redis(w),
			 "LMOVE flowrra:queue:io "
			 "{flowrra:queue:io}:inflight:test:9 LEFT RIGHT");
	ck_answer(w, "cancel held", "outcome", "ordered");
	ck_field(w, "held", "status", "pending");
	world_stop(w);
}
END_TEST

/* --- unique tasks ------------------------------------------------------ */

START_TEST(a_unique_task_is_queued_once_and_gives_its_id_again)
{
	struct world *w = begin(_i);
	const char *first = submit(w, "add 1 1 --force --queue io --unique k");

	ck_assert_str_eq(submit(w, "add 2 2 --force --queue io --unique k"),
			 first);
	ck_assert_str_eq(
	    ctl_ok(w, "submit --stdin <<E\n{\"name\":\"add\",\"force\":true,"
		      "\"queue\":\"io\",\"unique\":\"k\"}\nE"),
	    first);
	ck_assert_str_ne(submit(w, "add 2 2 --force --queue io --unique other "
				   "--unique-ttl 1s"),
			 first);
	ck_only(w, "queues io", "waiting", "2");
	world_stop(w);
}
END_TEST

/* --- lists ------------------------------------------------------------- */

START_TEST(tasks_are_listed_by_their_state_the_newest_first)
{
	struct world *w = begin(_i);

	put(w, "p1", "");
	put(w, "p2", "--delay 1h");
	submit(w, "other --force --queue cpu --id p3");
	ck_assert_str_eq(ctl_ok(w, "tasks pending | cut -f1 | tr '\\n' ' '"),
			 "p3 p2 p1 ");
	ck_only(w, "tasks pending --limit 1", "task_id", "p3");
	ck_only(w, "tasks pending --queue cpu", "task_name", "other");
	ck_only(w, "tasks pending --task add --limit 1", "task_id", "p2");
	ctl_ok(w, "queue purge cpu");
	worker_start(w, NULL);
	ck_run(ctl(w, "wait p1"), 0, "5\n");
	submit(w, "sleep 60 --id r1");
	WAIT_UNTIL(strstr(ctl_ok(w, "tasks running --json"),
			  "\"status\":\"running\"") != NULL);
	ck_only(w, "tasks running", "task_id", "r1");
	ck_only(w, "tasks running", "worker", "test:1");
	submit(w, "fail why --max-retries 0 --id f1");
	ck_complains(ctl(w, "wait f1"), 1, "why");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks completed --json"), "[]") != 0);
	ck_only(w, "tasks completed", "task_id", "p1");
	ck_only(w, "tasks completed --task add --queue io", "result", "5");
	ck_run(ctl(w, "tasks completed --task nope --json"), 0, "[]\n");
	ck_only(w, "tasks failed --queue io", "error", "why");
	ctl_ok(w, "cancel r1");
	ck_complains(ctl(w, "wait r1"), 1, "r1");
	world_stop(w);
}
END_TEST

START_TEST(tasks_are_listed_by_worker_argument_error_and_time)
{
	struct world *w = begin(_i);

	put(w, "later", "--delay 1h");
	put(w, "now", "");
	ck_only(w, "tasks pending --arg 0=2 --before 0s --after 1h --limit 1",
		"task_id", "now");
	ck_run(ctl(w, "tasks pending --arg 0=3"), 0, "");
	ck_only(w, "tasks delayed", "task_id", "later");
	ck_run(ctl(w, "tasks delayed --before 10m --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks retrying --json"), 0, "[]\n");
	ck_complains(ctl(w, "tasks pending --arg x"), 65, "not PATH=VALUE");
	ck_complains(ctl(w, "tasks pending --after then"), 64,
		     "--after \"then\": not a time");
	worker_start(w, NULL);
	submit(w, "fail why --retry-delay 1h --max-retries 3 --id again");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks retrying --json"), "[]") != 0);
	ck_only(w, "tasks retrying", "task_id", "again");
	ck_only(w, "tasks retrying --error why", "error", "why");
	ck_run(ctl(w, "tasks retrying --error nope --json"), 0, "[]\n");
	ck_only(w, "tasks delayed", "task_id", "later");
	ck_run(ctl(w, "wait now"), 0, "5\n");
	ck_run(ctl(w, "tasks run later --json"), 0,
	       "{\"task_id\":\"later\",\"outcome\":\"due\"}\n");
	ck_run(ctl(w, "wait later --timeout 20"), 0, "5\n");
	ck_complains(ctl(w, "tasks run later again nope"), 77,
		     "task later is not delayed");
	/* It has failed once more. */
	WAIT_UNTIL(strstr(ctl_ok(w, "tasks retrying --json"),
			  "\"retries\":2") != NULL);
	ck_only(w, "tasks completed --worker test:1 --arg 1=3 --limit 1",
		"task_id", "later");
	ck_run(ctl(w, "tasks completed --worker nope --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks completed --before 1h --json"), 0, "[]\n");
	world_stop(w);
}
END_TEST

START_TEST(a_list_says_when_it_stopped_looking)
{
	struct world *w = begin(_i);
	int i;

	for (i = 0; i < 3; i++)
		put(w, world_text(w, "a%d", i), "");
	ck_complains(run(w, "(seq 600 | sed 's/.*/{\"name\":\"x\",\"queue\":"
			    "\"io\",\"force\":true}/') | flowrractl --config "
			    "flowrra.conf submit --stdin >ids"),
		     0, "");
	ck_complains(ctl(w, "tasks pending --task other --depth 1"), 0,
		     "--depth searches more");
	ck_run(ctl(w, "tasks pending --task add --limit 3 --queue io | wc -l"),
	       0, "3\n");
	world_stop(w);
}
END_TEST

START_TEST(a_task_is_shown_with_where_it_is)
{
	struct world *w = begin(_i);
	const char *shown;

	put(w, "waits", "");
	put(w, "later", "--delay 1h");
	ck_answer(w, "tasks show waits", "where", "waiting");
	ck_answer(w, "tasks show later", "where", "delayed");
	worker_start(w, NULL);
	ck_run(ctl(w, "wait waits"), 0, "5\n");
	ck_answer(w, "tasks show waits", "where", "finished");
	submit(w, "sleep 60 --id runs");
	WAIT_UNTIL(says(w, "tasks show runs", "where", "in_flight"));
	submit(w, "fail why --max-retries 1 --retry-delay 0.05 --id dies");
	ck_complains(ctl(w, "wait dies"), 1, "why");
	WAIT_UNTIL(says(w, "tasks show dies", "where", "dead"));
	shown = ctl_ok(w, "tasks show dies --json");
	ck_assert_str_eq(json_field(w, shown, "record.status"), "failed");
	ck_assert_str_eq(json_field(w, shown, "entry.reason"), "failed");
	ck_assert_str_eq(json_field(w, shown, "entry.attempts"), "2");
	ck_assert_str_eq(json_field(w, shown, "entry.task.id"), "dies");
	ck_assert_ptr_nonnull(
	    strstr(json_field(w, shown, "entry.bytes"), "\"id\":\"dies\""));
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "tasks show dies"), "error            why\n"));
	ck_complains(ctl(w, "tasks show nope"), 2, "nope");
	ctl_ok(w, "cancel runs");
	ck_complains(ctl(w, "wait runs"), 1, "runs");
	world_stop(w);
}
END_TEST

/* A NUL in a string is JSON as any other; foreign producers send it. */
START_TEST(a_nul_in_a_string_hides_nothing)
{
	struct world *w = begin(ON_REDIS);

	put(w, "plain", "");
	push(w, "{\"id\":\"nul\",\"name\":\"add\",\"args\":[\"\\u0000\"],"
		"\"kwargs\":{}}");
	redis_server_run(world_redis(w), "SET flowrra:task:nul %s",
			 "{\"task_id\":\"nul\",\"status\":\"pending\","
			 "\"task_name\":\"add\",\"args\":[\"\\u0000\"],"
			 "\"queue\":\"io\"}");
	redis_server_run(world_redis(w), "ZADD flowrra:workers 1 test:9");
	redis_server_run(world_redis(w), "SET flowrra:worker:test:9 %s",
			 "{\"host\":\"\\u0000\"}");
	ck_run(ctl(w, "tasks pending --json | grep -cF '[\"\\u0000\"]'"), 0,
	       "1\n");
	ck_run(ctl(w, "workers --json | grep -c test:9"), 0, "1\n");
	ck_answer(w, "stats", "waiting", "2");
	ck_answer(w, "cancel nul", "outcome", "cancelled");
	ck_run(ctl(w, "tasks failed --json | grep -cF '[\"\\u0000\"]'"), 0,
	       "1\n");
	world_stop(w);
}
END_TEST

/* --- workers ----------------------------------------------------------- */

START_TEST(a_worker_follows_its_orders)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	WAIT_UNTIL(strcmp(ctl_ok(w, "workers | wc -l"), "1") == 0);
	ck_only(w, "workers", "worker", "test:1");
	ck_only(w, "workers", "state", "running");
	ck_assert_int_gt(atoi(json_field(w, only(w, "workers"), "pid")), 0);
	ck_assert_int_gt(
	    atoi(json_field(w, only(w, "workers"), "memory.total")), 100000);
	ck_assert_str_eq(json_field(w, only(w, "workers"), "slots.io.slots"),
			 "4");
	ck_run(ctl(w, "worker quiet test:1"), 0, "");
	WAIT_UNTIL(
	    strcmp(json_field(w, only(w, "workers"), "state"), "quiet") == 0);
	submit(w, "add 2 3 --id waits");
	ck_complains(ctl(w, "wait waits --timeout 0.3"), 3, "0.3 s");
	ck_complains(ctl(w, "health"), 69, "");
	ck_run(ctl(w, "worker resume test:1"), 0, "");
	ck_run(ctl(w, "wait waits --timeout 20"), 0, "5\n");
	ck_run(ctl(w, "worker reload test:1 --json"), 0,
	       "{\"worker\":\"test:1\",\"order\":\"reload\","
	       "\"reloaded\":true}\n");
	worker_notified(worker_of(w), "RELOADING=1");
	worker_notified(worker_of(w), "READY=1");
	ck_run(ctl(w, "worker stop test:1"), 0, "");
	ck_assert_int_eq(worker_end(worker_of(w)), 0);
	ck_complains(ctl(w, "worker quiet test:1"), 2, "test:1");
	ck_complains(ctl(w, "worker quiet nope"), 2, "nope");
	world_stop(w);
}
END_TEST

/* --- the whole --------------------------------------------------------- */

START_TEST(figures_are_those_of_the_lists)
{
	struct world *w = begin(_i);
	const char *snapshot;

	put(w, "later", "--delay 1h");
	worker_start(w, NULL);
	submit(w, "add 2 3 --id a --wait");
	submit(w, "fail --max-retries 0 --id b");
	WAIT_UNTIL(says(w, "stats", "failed", "1"));
	ck_answer(w, "stats", "succeeded", "1");
	ck_answer(w, "stats", "delayed", "1");
	ck_answer(w, "stats", "dead", "1");
	ck_answer(w, "stats", "workers", "1");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "stats"), "succeeded        1\n"));
	snapshot = ctl_ok(w, "top --json");
	ck_assert_str_eq(json_field(w, snapshot, "stats.delayed"), "1");
	ck_assert_str_eq(json_field(w, snapshot, "running"), "[]");
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "top"), "1 delayed"));
	world_stop(w);
}
END_TEST

START_TEST(health_is_waited_for)
{
	struct world *w = begin(_i);
	struct run *r, *waiter;

	r = ctl(w, "health");
	ck_assert_int_eq(r->status, 69);
	if (strstr(r->out, "there is no database") == NULL) {
		ck_assert_ptr_nonnull(strstr(r->out, "broker\thealthy"));
		ck_assert_ptr_nonnull(
		    strstr(r->out, "workers\tunhealthy\tnone"));
	}
	ck_assert_int_eq(ctl(w, "health --wait --timeout 0.1")->status, 3);
	waiter = run_start(
	    w, "flowrractl --config flowrra.conf health --wait --timeout 50");
	worker_start(w, NULL);
	ck_assert_int_eq(run_end(w, waiter)->status, 0);
	ctl_ok(w, "schedule interval add 1h --args '[1,2]'");
	r = ctl(w, "health");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, "schedulers\tunhealthy\tnone"));
	worker_start(w, "exec flowrra-beat --config flowrra.conf");
	ck_assert_int_eq(ctl(w, "health --wait --timeout 30")->status, 0);
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "health"), "1 alive, lag"));
	r = ctl(w, "-o broker.url=redis://127.0.0.1:1 -o "
		   "broker.socket_timeout=0.2 health");
	if (_i == ON_REDIS) {
		ck_assert_int_eq(r->status, 69);
		ck_assert_ptr_nonnull(strstr(r->out, "broker\tunhealthy"));
	}
	world_stop(w);
}
END_TEST

/* Whether the doctor says this, and what he advises. */
static bool
finds(struct world *w, const char *what, const char *remedy)
{
	const struct run *r = ctl(w, "doctor");
	const char *found = strstr(r->out, what);

	return found != NULL && strstr(found, remedy) != NULL;
}

START_TEST(the_doctor_finds_what_is_stuck_and_says_what_to_do)
{
	struct world *w = begin(_i);

	put(w, "a", "");
	ck_assert_int_eq(ctl(w, "doctor")->status, 69);
	ck_assert(finds(w, "no worker is alive", "Start flowrrad"));
	ck_assert(finds(w, "queue io has 1 task and no worker serves it",
			"[worker] queues"));
	ctl_ok(w, "queue pause io");
	ck_assert(finds(w, "queue io is paused", "queue resume"));
	worker_start(w, NULL);
	submit(w, "resize --id c --max-retries 0 '\"x\"'");
	submit(w, "other --force --queue cpu --id dies");
	ctl_ok(w, "queue resume io");
	submit(w, "fail --max-retries 0 --id b");
	WAIT_UNTIL(finds(w, "died within the last hour", "tasks dead"));
	ctl_ok(w, "worker quiet test:1");
	WAIT_UNTIL(finds(w, "worker test:1 is quiet", "worker resume"));
	ctl_ok(w, "schedule interval add 1h --args '[1,2]'");
	ck_assert(finds(w, "for 1 enabled schedule", "Start flowrra-beat"));
	world_stop(w);
}
END_TEST

START_TEST(the_doctor_looks_at_permissions)
{
	struct world *w = begin(ON_SQLITE);
	char *conf = world_text(w, "%s/secret.conf", world_dir(w));
	char *state = world_text(w, "%s/open", world_dir(w));
	char *module = world_text(w, "%s/m.so", world_dir(w));
	const char *text =
	    world_text(w,
		       "[broker]\nurl = redis://:geheim@127.0.0.1:1\n"
		       "[worker]\nstate_dir = %s\nmodules = %s\n",
		       state, module);
	const struct run *r;

	world_write(w, "secret.conf", text, strlen(text));
	world_write(w, "m.so", "", 0);
	ck_assert_int_eq(mkdir(state, 0700), 0);
	ck_assert_int_eq(chmod(conf, 0644), 0);
	ck_assert_int_eq(chmod(state, 0777), 0);
	ck_assert_int_eq(chmod(module, 0666), 0);
	r = run(w, "flowrractl -c secret.conf doctor");
	ck_assert_int_eq(r->status, 69);
	ck_assert_ptr_nonnull(strstr(r->out, "every user may read it"));
	ck_assert_ptr_nonnull(strstr(r->out, "the state directory"));
	ck_assert_ptr_nonnull(strstr(r->out, "workers refuse it"));
	ck_assert_ptr_null(strstr(r->out, "geheim"));
	ck_assert_int_eq(chmod(conf, 0600), 0);
	r = run(w, "flowrractl -c secret.conf doctor");
	ck_assert_ptr_null(strstr(r->out, "every user may read it"));
	world_stop(w);
}
END_TEST

SUITE("operate")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_queue_is_listed_paused_resumed_and_purged);
	TEST_BOTH(a_task_is_cancelled_wherever_it_is);
	TEST_BOTH(whoever_waits_for_a_task_is_told_that_it_was_cancelled);
	TEST(a_task_that_waits_is_withdrawn_though_its_record_says_it_runs);
	TEST(a_task_that_was_withdrawn_but_not_recorded_can_be_cancelled_again);
	TEST_BOTH(a_unique_task_is_queued_once_and_gives_its_id_again);
	TEST_BOTH(tasks_are_listed_by_their_state_the_newest_first);
	TEST_BOTH(tasks_are_listed_by_worker_argument_error_and_time);
	TEST_BOTH(a_list_says_when_it_stopped_looking);
	TEST_BOTH(a_task_is_shown_with_where_it_is);
	TEST(a_nul_in_a_string_hides_nothing);
	TEST_BOTH(a_worker_follows_its_orders);
	TEST_BOTH(figures_are_those_of_the_lists);
	TEST_BOTH(health_is_waited_for);
	TEST_BOTH(the_doctor_finds_what_is_stuck_and_says_what_to_do);
	TEST(the_doctor_looks_at_permissions);
}
