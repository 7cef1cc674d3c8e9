/* SPDX-License-Identifier: MIT */
/* What those who run it do with flowrractl, on Redis and on SQLite. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "e2e/look.h"
#include "e2e/worker.h"

/* Each test runs on both. */
enum { ON_REDIS, ON_SQLITE, N_BROKERS };

/* A world without a worker. */
static struct world *
begin(int broker)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);

	if (broker == ON_SQLITE)
		setenv("FLOWRRA_BROKER_URL",
		       world_text(w, "sqlite://%s/flowrra.db", world_dir(w)),
		       1);
	setenv("FLOWRRA_SCHEDULER_DATABASE_URL",
	       world_text(w, "sqlite://%s/schedules.db", world_dir(w)), 1);
	return w;
}

/* A task that no worker has registered yet. */
static char *
put(struct world *w, const char *id, const char *rest)
{
	return submit(w, "add 2 3 --id %s --force --queue io %s", id, rest);
}

/* A member of the JSON that a verb prints; "0.queue" looks into arrays. */
static const char *
answer(struct world *w, const char *verb, const char *path)
{
	return json_field(w, ctl_ok(w, "%s --json", verb), path);
}

#define ck_answer(w, verb, path, expected)                                     \
	ck_assert_str_eq(answer(w, verb, path), expected)

static bool
says(struct world *w, const char *verb, const char *path, const char *expected)
{
	return strcmp(answer(w, verb, path), expected) == 0;
}

/* The only object of an array. */
static const char *
only(struct world *w, const char *verb)
{
	char *text = ctl_ok(w, "%s --json", verb);
	const size_t len = strlen(text);

	ck_assert_msg(len > 2 && text[0] == '[', "%s: %s", verb, text);
	text[len - 1] = '\0';
	return text + 1;
}

#define ck_only(w, verb, path, expected)                                       \
	ck_assert_str_eq(json_field(w, only(w, verb), path), expected)

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
		     "--depth looks further");
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

/* --- the dead ---------------------------------------------------------- */

/* Three of them: "a" and "b" of task fail, "c" of task flaky. */
static struct world *
with_dead(int broker)
{
	struct world *w = begin(broker);

	worker_start(w, NULL);
	submit(w, "fail 'no luck' --max-retries 0 --id a");
	submit(w, "fail 'disk full' --max-retries 0 --id b");
	submit(w, "flaky 99 --max-retries 0 --id c");
	ck_complains(ctl(w, "wait a b c --timeout 30"), 1, "no luck");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks dead | wc -l"), "3") == 0);
	return w;
}

START_TEST(dead_tasks_are_listed_by_what_they_died_of)
{
	struct world *w = with_dead(_i);

	ck_run(ctl(w, "tasks dead --task fail | wc -l"), 0, "2\n");
	ck_only(w, "tasks dead --error luck", "key", "a");
	ck_only(w, "tasks dead --error luck", "reason", "failed");
	ck_only(w, "tasks dead --task fail --error disk", "task_id", "b");
	ck_run(ctl(w, "tasks dead --reason crashed --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --older-than 1h --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --queue cpu --json"), 0, "[]\n");
	ck_run(ctl(w, "tasks dead --limit 2 | wc -l"), 0, "2\n");
	world_stop(w);
}
END_TEST

START_TEST(dead_tasks_are_retried_with_all_their_attempts)
{
	struct world *w = with_dead(_i);
	struct worker *k = worker_of(w);
	struct run *r;

	r = ctl(w, "tasks retry --task fail --dry-run | sort");
	ck_assert_str_eq(r->out, "a\tfail\tio\nb\tfail\tio\n");
	ck_run(ctl(w, "tasks dead | wc -l"), 0, "3\n");
	worker_stop(k);
	ck_run(ctl(w, "tasks retry c"), 0, "1 retried\n");
	ck_complains(ctl(w, "result c"), 3, "pending");
	ck_only(w, "tasks pending", "retries", "0");
	ck_run(ctl(w, "tasks retry --error full"), 0, "1 retried\n");
	ck_only(w, "tasks dead", "key", "a");
	worker_restart(k);
	ck_complains(ctl(w, "wait b c --timeout 30"), 1, "disk full");
	WAIT_UNTIL(strcmp(ctl_ok(w, "tasks dead | wc -l"), "3") == 0);
	/* They die again, and are not put back again by the same order. */
	ck_answer(w, "tasks retry --all", "done", "3");
	ck_complains(ctl(w, "wait a b c --timeout 30"), 1, "no luck");
	ck_complains(ctl(w, "tasks retry nope"), 2, "no dead task nope");
	world_stop(w);
}
END_TEST

START_TEST(dead_tasks_are_deleted)
{
	struct world *w = with_dead(_i);

	ck_run(ctl(w, "tasks delete c"), 0, "1 deleted\n");
	ck_complains(ctl(w, "tasks delete c"), 2, "no dead task c");
	ck_complains(ctl(w, "result c"), 1, "task c");
	ck_answer(w, "tasks delete --all --dry-run", "matched", "2");
	ck_run(ctl(w, "tasks delete --all"), 0, "2 deleted\n");
	ck_run(ctl(w, "tasks dead"), 0, "");
	ck_answer(w, "stats", "dead", "0");
	world_stop(w);
}
END_TEST

/* A variable of a script that is not set, or holds anything. */
START_TEST(words_that_say_nothing_change_nothing)
{
	struct world *w = with_dead(_i);

	ck_complains(ctl(w, "tasks delete --error ''"), 64, "which?");
	ck_complains(ctl(w, "tasks retry \"$(printf '\\377')\""), 2,
		     "no dead task ?");
	ck_run(ctl(w, "cancel \"$(printf '\\377')\" --json | cut -d, -f1-2"), 0,
	       "{\"id\":\"?\",\"code\":65\n");
	ck_run(ctl(w, "tasks dead | wc -l"), 0, "3\n");
	world_stop(w);
}
END_TEST

START_TEST(many_dead_tasks_are_put_back_once_each)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ck_run(run(w, "seq 1200 | sed 's/.*/{\"name\":\"fail\",\"id\":\"t&\","
		      "\"max_retries\":0}/' | flowrractl --config "
		      "flowrra.conf submit --stdin >ids"),
	       0, "");
	WAIT_UNTIL(says(w, "stats", "dead", "1200"));
	worker_stop(worker_of(w));
	ck_run(ctl(w, "tasks retry --all"), 0, "1200 retried\n");
	ck_answer(w, "stats", "waiting", "1200");
	ck_answer(w, "stats", "dead", "0");
	ck_run(ctl(w, "queue purge io"), 0, "1200\n");
	ck_complains(ctl(w, "result t77"), 1, "cancelled");
	world_stop(w);
}
END_TEST

START_TEST(what_cannot_be_read_can_be_shown_and_deleted_but_not_retried)
{
	struct world *w = begin(ON_REDIS);
	const char *key, *shown;

	push(w, "{\"id\": \"bro");
	worker_start(w, NULL);
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	ck_only(w, "tasks dead", "task_id", "null");
	key = json_field(w, only(w, "tasks dead"), "key");
	shown = ctl_ok(w, "tasks show %s --json", key);
	ck_assert_str_eq(json_field(w, shown, "entry.bytes"), "{\"id\": \"bro");
	ck_assert_str_eq(json_field(w, shown, "entry.task"), "null");
	ck_complains(ctl(w, "tasks retry %s", key), 65, "not JSON");
	ck_run(ctl(w, "tasks delete %s", key), 0, "1 deleted\n");
	push_bytes(w, "\xff\xfe", 2);
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	key = json_field(w, only(w, "tasks dead"), "key");
	shown = ctl_ok(w, "tasks show %s --json", key);
	ck_assert_str_eq(json_field(w, shown, "entry.bytes_base64"), "//4=");
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
	       "{\"worker\":\"test:1\",\"order\":\"reload\"}\n");
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
	ck_assert_ptr_nonnull(strstr(r->out, "broker\thealthy"));
	ck_assert_ptr_nonnull(strstr(r->out, "workers\tunhealthy\tnone"));
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
	ck_assert(finds(w, "queue io has 1 tasks and no worker serves it",
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
	ck_assert(finds(w, "1 schedules are enabled", "Start flowrra-beat"));
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
	ck_assert_ptr_nonnull(strstr(r->out, "everybody may read it"));
	ck_assert_ptr_nonnull(strstr(r->out, "the state directory"));
	ck_assert_ptr_nonnull(strstr(r->out, "workers refuse it"));
	ck_assert_ptr_null(strstr(r->out, "geheim"));
	ck_assert_int_eq(chmod(conf, 0600), 0);
	r = run(w, "flowrractl -c secret.conf doctor");
	ck_assert_ptr_null(strstr(r->out, "everybody may read it"));
	world_stop(w);
}
END_TEST

/* --- events ------------------------------------------------------------ */

START_TEST(events_are_told_as_they_happen)
{
	struct world *w = begin(_i);
	struct run *all, *one;
	const int64_t deadline = now_ms() + PATIENCE_MS;
	int i;

	worker_start(w, NULL);
	all = run_start(w, "flowrractl --config flowrra.conf events --count 2 "
			   ">all; touch ended");
	one = run_start(w, "flowrractl --config flowrra.conf events --follow "
			   "--id last --count 1 --task add --queue io");
	/* They begin to listen at some time, of which the worker learns
	 * then. */
	for (i = 0; world_read(w, "all")[0] == '\0' && now_ms() < deadline; i++)
		submit(w, "add %d 1 --wait", i);
	submit(w, "add 3 4 --id last");
	ck_assert_int_eq(run_end(w, one)->status, 0);
	ck_assert_str_eq(json_field(w, one->out, "type"), "task.update");
	ck_assert_str_eq(json_field(w, one->out, "task.task_id"), "last");
	ck_assert_int_eq(run_end(w, all)->status, 0);
	ck_run(run(w, "wc -l <all"), 0, "2\n");
	all = run_start(w, "flowrractl --config flowrra.conf events --task "
			   "sleep --count 2");
	for (i = 0; !is_gone(all->pid) && now_ms() < deadline; i++)
		ck_assert_str_eq(submit(w, "sleep 0.4 --wait"), "0.4");
	ck_assert_int_eq(run_end(w, all)->status, 0);
	/* They may have begun to listen while it ran. */
	ck_assert_ptr_nonnull(strstr(all->out, "\"status\":\"running\""));
	world_stop(w);
}
END_TEST

/* Listeners begin to listen at some time: until then, again. */
static void
ck_told_of_cancelling(struct world *w, bool purge)
{
	const int64_t deadline = now_ms() + PATIENCE_MS;
	struct run *events;
	const char *id;
	int i;

	events = run_start(w, "flowrractl --config flowrra.conf events "
			      "--count 1");
	for (i = 0; !is_gone(events->pid) && now_ms() < deadline; i++) {
		id = world_text(w, "%d.%d", purge, i);
		put(w, id, "");
		if (purge)
			ctl_ok(w, "queue purge io");
		else
			ctl_ok(w, "cancel %s", id);
	}
	ck_assert_int_eq(run_end(w, events)->status, 0);
	ck_assert_str_eq(json_field(w, events->out, "task.status"), "failed");
	ck_assert_str_eq(json_field(w, events->out, "task.reason"),
			 "cancelled");
}

START_TEST(events_tell_of_tasks_that_are_cancelled_before_they_run)
{
	struct world *w = begin(_i);

	ck_told_of_cancelling(w, false);
	ck_told_of_cancelling(w, true);
	world_stop(w);
}
END_TEST

START_TEST(events_end_when_nobody_reads_them)
{
	struct world *w = begin(_i);
	struct run *events;
	const int64_t deadline = now_ms() + PATIENCE_MS;

	worker_start(w, NULL);
	events = run_start(w, "flowrractl --config flowrra.conf events | "
			      "head -n 1; touch ended");
	while (access(world_text(w, "%s/ended", world_dir(w)), F_OK) != 0 &&
	       now_ms() < deadline)
		submit(w, "add 1 1 --wait");
	ck_assert_int_eq(run_end(w, events)->status, 0);
	ck_assert_str_eq(events->err, "");
	world_stop(w);
}
END_TEST

/* --- the terminal ------------------------------------------------------ */

START_TEST(top_gives_the_terminal_back)
{
	struct world *w = begin(_i);
	const struct run *r;

	put(w, "a", "");
	r = run(w, "(sleep 1; printf q) | script -qec 'flowrractl --config "
		   "flowrra.conf top --interval 0.1' /dev/null");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049h"));
	ck_assert_ptr_nonnull(strstr(r->out, "1 waiting"));
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049l"));
	/* Also when it is killed. */
	r = run(w,
		"script -qec 'flowrractl --config flowrra.conf top </dev/tty & "
		"sleep 0.5; kill $!; wait $!; true' /dev/null </dev/null");
	ck_assert_ptr_nonnull(strstr(r->out, "\033[?1049l"));
	world_stop(w);
}
END_TEST

START_TEST(a_stream_shows_its_progress_on_a_terminal)
{
	struct world *w = begin(_i);
	const struct run *r;

	world_write(w, "tasks", "{}\n{}\n", 6);
	r = run(w, "script -qec 'flowrractl --config flowrra.conf submit add "
		   "--force --queue io --stdin <tasks >ids' /dev/null");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->out, "2 submitted"));
	r = run(w, "flowrractl --config flowrra.conf submit add --force "
		   "--queue io --stdin <tasks >ids");
	ck_run(r, 0, "");
	ck_assert_str_eq(r->err, "");
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

/* --- completion -------------------------------------------------------- */

static bool
has_shell(struct world *w, const char *shell)
{
	return run(w, "command -v %s", shell)->status == 0;
}

START_TEST(words_are_completed_from_verbs_and_servers)
{
	struct world *w = begin(_i);

	put(w, "some-task", "");
	worker_start(w, NULL);
	ck_run(ctl(w, "complete -- tasks ret"), 0,
	       "retry\tPuts dead tasks back into their queues, to be run "
	       "anew\n");
	ck_run(ctl(w, "complete -- queue pause i"), 0, "io\t\n");
	ck_run(ctl(w, "complete -- submit ad"), 0, "add\ttask\n");
	ck_run(ctl(w, "complete -- tasks pending --task ad"), 0, "add\ttask\n");
	ck_run(ctl(w, "complete -- worker quiet test:"), 0,
	       "test:1\trunning\n");
	ck_run(ctl(w, "complete -- result some"), 0, "some-task\tadd\n");
	ck_run(ctl(w, "complete -- completion f"), 0, "fish\t\n");
	ck_run(ctl(w, "complete -- help queue pa"), 0,
	       "pause\tKeeps all workers from taking tasks out of a queue\n");
	ck_run(ctl(w, "complete -- --json help ver"), 0,
	       "version\tPrints the version\n");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "complete -- submit --un"), "--unique-ttl\t"));
	ck_run(run(w, "FLOWRRA_BROKER_URL=redis://127.0.0.1:1 timeout 5 "
		      "flowrractl complete -- queue pause ''"),
	       0, "");
	world_stop(w);
}
END_TEST

START_TEST(what_a_shell_would_run_is_not_offered)
{
	struct world *w = begin(_i);

	put(w, "'$(reboot)'", "");
	put(w, "good", "");
	ck_run(ctl(w, "complete -- cancel ''"), 0, "good\tadd\n");
	ck_run(ctl(w, "complete -- cancel '$'"), 0, "");
	world_stop(w);
}
END_TEST

START_TEST(the_shells_complete_with_the_scripts)
{
	struct world *w = begin(_i);
	const struct run *r;

	worker_start(w, NULL);
	setenv("FLOWRRA_BROKER_URL",
	       json_field(w,
			  ctl_ok(w, "--dump-config | sed -n 's/^url = "
				    "\\(.*\\)/{\"u\":\"\\1\"}/p' | head -n 1"),
			  "u"),
	       1);
	r = run(w, "bash -c '. <(flowrractl completion bash); "
		   "COMP_LINE=\"flowrractl worker quiet test:\"; "
		   "COMP_POINT=${#COMP_LINE}; _flowrractl; "
		   "echo \"${COMPREPLY[@]}\"'");
	ck_run(r, 0, "1\n");
	if (has_shell(w, "fish"))
		ck_run(run(w, "fish -c 'flowrractl completion fish | source; "
			      "complete -C \"flowrractl queue pau\"'"),
		       0,
		       "pause\tKeeps all workers from taking tasks out of a "
		       "queue\n");
	if (has_shell(w, "zsh"))
		ck_run(run(w, "zsh -fc 'compdef() {}; "
			      ". <(flowrractl completion zsh); "
			      "_describe() { print -l -- $candidates }; "
			      "words=(flowrractl worker quiet test:); "
			      "CURRENT=4; _flowrractl'"),
		       0, "test\\:1:running\n");
	world_stop(w);
}
END_TEST

/* --- the manual page -------------------------------------------------------
 */

/* The section of a verb: from its heading to the end of those that share it. */
static char *
page_section(struct world *w, const char *verb)
{
	char *page =
	    world_read(w, world_source(w, "cmd/flowrractl/flowrractl.1"));
	char *begin = strstr(page, world_text(w, "\n.Ss %s", verb)), *end;

	ck_assert_msg(begin != NULL, "there is no section %s", verb);
	for (end = strchr(begin + 1, '\n'); strncmp(end, "\n.Ss", 4) == 0;
	     end = strchr(end + 1, '\n'))
		;
	end = strstr(end, "\n.Ss");
	if (end != NULL)
		*end = '\0';
	return begin;
}

/* Whether a word stands there, with something else on both sides. */
static bool
has_word(const char *text, const char *word)
{
	const size_t len = strlen(word);
	const char *p;

	for (p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
		if (strchr(" \"\n", p[-1]) != NULL &&
		    strchr(" ,.\"\n:", p[len]) != NULL)
			return true;
	return false;
}

static void
check_members(struct world *w, const char *verb, const char *arguments)
{
	json_t *json =
	    json_loads(ctl(w, "%s %s --json", verb, arguments)->out, 0, NULL);
	const json_t *object =
	    json_is_array(json) ? json_array_get(json, 0) : json;
	const char *section = page_section(w, verb), *name;
	json_t *value;

	ck_assert_msg(json_object_size(object) > 0, "%s prints nothing", verb);
	json_object_foreach ((json_t *)object, name, value)
		ck_assert_msg(has_word(section, name),
			      "the section of \"%s\" does not say \"%s\"", verb,
			      name);
	json_decref(json);
}

START_TEST(the_manual_page_names_the_members_of_what_is_printed)
{
	static const char *const asked[][2] = {
	    {"stats", ""},
	    {"top", ""},
	    {"health", ""},
	    {"doctor", ""},
	    {"queues", ""},
	    {"queue pause", "cpu"},
	    {"queue purge", "cpu"},
	    {"worker quiet", "test:1"},
	    {"tasks dead", ""},
	    {"tasks show", "a"},
	    {"tasks retry", "a"},

	    {"schedule stats", ""},
	    {"schedule show", "s"},
	    {"schedule enable", "s"},
	    {"schedule run", "s"},
	    {"cancel", "later"},
	};
	struct world *w = begin(_i);
	size_t i;

	worker_start(w, NULL);
	submit(w, "fail --max-retries 0 --id a");
	submit(w, "add 1 1 --delay 1h --id later");
	ctl_ok(w, "schedule interval add 1h --args '[1,2]' --id s");
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		check_members(w, asked[i][0], asked[i][1]);
	world_stop(w);
}
END_TEST

/* --- all verbs --------------------------------------------------------- */

#define HERE "operate_test.c"

/* Which test shows that a verb does what it says. */
static const struct {
	const char *verb, *file, *test;
} verbs[] = {
    {"submit", "cli_test.c", "exit_statuses_say_what_became_of_a_task"},
    {"result", "cli_test.c", "exit_statuses_say_what_became_of_a_task"},
    {"wait", "cli_test.c", "whoever_waits_is_woken_by_the_end"},
    {"cancel", HERE, "a_task_is_cancelled_wherever_it_is"},
    {"events", HERE, "events_are_told_as_they_happen"},
    {"stats", HERE, "figures_are_those_of_the_lists"},
    {"top", HERE, "top_gives_the_terminal_back"},
    {"health", HERE, "health_is_waited_for"},
    {"doctor", HERE, "the_doctor_finds_what_is_stuck_and_says_what_to_do"},
    {"queues", HERE, "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue pause", HERE, "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue resume", HERE, "a_queue_is_listed_paused_resumed_and_purged"},
    {"queue purge", HERE, "a_queue_is_listed_paused_resumed_and_purged"},
    {"workers", HERE, "a_worker_follows_its_orders"},
    {"worker quiet", HERE, "a_worker_follows_its_orders"},
    {"worker resume", HERE, "a_worker_follows_its_orders"},
    {"worker reload", HERE, "a_worker_follows_its_orders"},
    {"worker stop", HERE, "a_worker_follows_its_orders"},
    {"tasks pending", HERE, "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks running", HERE, "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks completed", HERE,
     "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks failed", HERE, "tasks_are_listed_by_their_state_the_newest_first"},
    {"tasks dead", HERE, "dead_tasks_are_listed_by_what_they_died_of"},
    {"tasks show", HERE, "a_task_is_shown_with_where_it_is"},
    {"tasks retry", HERE, "dead_tasks_are_retried_with_all_their_attempts"},
    {"tasks delete", HERE, "dead_tasks_are_deleted"},
    {"tasks registered", "../manager/flowrractl_test.c",
     "registered_tasks_are_listed"},
    {"tasks info", "../manager/flowrractl_test.c",
     "registered_tasks_are_listed"},
    {"schedule cron", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule interval", "schedule_cli_test.c",
     "an_identical_schedule_is_made_once"},
    {"schedule once", "schedule_cli_test.c",
     "schedules_fire_and_their_tasks_run"},
    {"schedule list", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule show", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule enable", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule disable", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule delete", "schedule_cli_test.c",
     "a_schedule_is_made_shown_and_removed"},
    {"schedule run", "schedule_cli_test.c",
     "schedules_fire_and_their_tasks_run"},
    {"schedule stats", "schedule_cli_test.c",
     "a_schedule_waits_for_its_last_task"},
    {"schedule next", "schedule_cli_test.c", "the_next_fires_need_no_server"},
    {"completion", HERE, "the_shells_complete_with_the_scripts"},
    {"complete", HERE, "words_are_completed_from_verbs_and_servers"},
    {"version", "../manager/flowrractl_test.c",
     "what_cannot_be_printed_is_an_error"},
    {"help", "../manager/flowrractl_test.c",
     "the_manual_page_has_all_verbs_and_options_and_no_other"},
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* The body of a test in a source file, "" if there is none. */
static char *
test_source(struct world *w, const char *file, const char *test)
{
	char *text =
	    world_read(w, world_source(w, world_text(w, "tests/e2e/%s", file)));
	char *begin = strstr(text, world_text(w, "START_TEST(%s)", test));
	char *end = begin != NULL ? strstr(begin, "END_TEST") : NULL;

	if (end == NULL)
		return world_text(w, "%s", "");
	*end = '\0';
	return begin;
}

START_TEST(each_verb_has_its_test)
{
	struct world *w = begin(ON_SQLITE);
	const char *known =
	    ctl_ok(w, "help --json | tr '{' '\\n' | sed -n "
		      "'s/^\"name\":\"\\([a-z ]*\\)\",\"summary\".*/\\1/p'");
	size_t i, lines = 1;
	const char *p;

	for (p = known; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	for (i = 0; i < N_VERBS; i++) {
		ck_assert_msg(strstr(world_text(w, "\n%s\n", known),
				     world_text(w, "\n%s\n", verbs[i].verb)) !=
				  NULL,
			      "there is no verb \"%s\"", verbs[i].verb);
		p = test_source(w, verbs[i].file, verbs[i].test);
		ck_assert_msg(strstr(p, verbs[i].verb) != NULL,
			      "%s: no test %s with \"%s\" in it", verbs[i].file,
			      verbs[i].test, verbs[i].verb);
	}
	ck_assert_msg(lines == N_VERBS,
		      "there are %zu verbs, but %zu have a test here:\n%s",
		      lines, N_VERBS, known);
	world_stop(w);
}
END_TEST

#define TEST_BOTH(name) TEST_LOOP(name, 0, N_BROKERS)

SUITE("operate")
{
	SUITE_TIMEOUT(120);
	TEST(each_verb_has_its_test);
	TEST_BOTH(a_queue_is_listed_paused_resumed_and_purged);
	TEST_BOTH(a_task_is_cancelled_wherever_it_is);
	TEST_BOTH(whoever_waits_for_a_task_is_told_that_it_was_cancelled);
	TEST(a_task_that_waits_is_withdrawn_though_its_record_says_it_runs);
	TEST(a_task_that_was_withdrawn_but_not_recorded_can_be_cancelled_again);
	TEST_BOTH(tasks_are_listed_by_their_state_the_newest_first);
	TEST_BOTH(a_list_says_when_it_stopped_looking);
	TEST_BOTH(a_task_is_shown_with_where_it_is);
	TEST_BOTH(dead_tasks_are_listed_by_what_they_died_of);
	TEST_BOTH(dead_tasks_are_retried_with_all_their_attempts);
	TEST_BOTH(dead_tasks_are_deleted);
	TEST_BOTH(many_dead_tasks_are_put_back_once_each);
	TEST(what_cannot_be_read_can_be_shown_and_deleted_but_not_retried);
	TEST_BOTH(a_worker_follows_its_orders);
	TEST_BOTH(figures_are_those_of_the_lists);
	TEST_BOTH(health_is_waited_for);
	TEST_BOTH(the_doctor_finds_what_is_stuck_and_says_what_to_do);
	TEST(the_doctor_looks_at_permissions);
	TEST(a_nul_in_a_string_hides_nothing);
	TEST_BOTH(what_a_shell_would_run_is_not_offered);
	TEST_BOTH(words_that_say_nothing_change_nothing);
	TEST_BOTH(events_are_told_as_they_happen);
	TEST_BOTH(events_tell_of_tasks_that_are_cancelled_before_they_run);
	TEST_BOTH(events_end_when_nobody_reads_them);
	TEST_BOTH(top_gives_the_terminal_back);
	TEST_BOTH(a_stream_shows_its_progress_on_a_terminal);
	TEST_BOTH(a_unique_task_is_queued_once_and_gives_its_id_again);
	TEST_BOTH(words_are_completed_from_verbs_and_servers);
	TEST_BOTH(the_shells_complete_with_the_scripts);
	TEST_BOTH(the_manual_page_names_the_members_of_what_is_printed);
}
