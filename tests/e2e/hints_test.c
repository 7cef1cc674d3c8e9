/* SPDX-License-Identifier: MIT */
/* What flowrractl says beside its answers: warnings of what is most likely a
 * mistake, and what it leaves out because it was said already. */
#include <hiredis.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/operate_scene.h"
#include "redis_server.h"

static size_t
n_times(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

/* --- queues -------------------------------------------------------------- */

START_TEST(a_queue_that_nobody_knows_is_paused_with_a_warning)
{
	struct world *w = begin(_i);

	put(w, "a", "--queue cpu");
	ck_complains(ctl(w, "queue pause oi"), 0,
		     "warning: pausing the unknown queue \"oi\"");
	ck_only(w, "queues oi", "paused", "true");
	ck_assert_str_eq(ctl(w, "queue pause cpu")->err, "");
	ck_assert_str_eq(ctl(w, "queue resume cpu")->err, "");
	world_stop(w);
}
END_TEST

START_TEST(a_queue_that_nobody_serves_is_warned_of)
{
	static const char warning[] =
	    "warning: no living worker serves queue \"oi\"";
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ck_complains(ctl(w, "submit add 1 2 --queue oi"), 0, warning);
	ck_complains(ctl(w, "submit other --force --queue oi"), 0, warning);
	world_write(w, "tasks", "{}\n{}\n", 6);
	ck_complains(ctl(w, "submit add --queue oi --stdin <tasks"), 0,
		     warning);
	ck_assert_str_eq(ctl(w, "submit add 1 2 --queue oi -q")->err, "");
	ck_assert_str_eq(ctl(w, "submit add 1 2 --queue io")->err, "");
	ck_assert_str_eq(ctl(w, "submit add 1 2")->err, "");
	ck_assert_str_eq(ctl(w, "submit other --force --queue cpu")->err, "");
	ck_only(w, "queues oi", "waiting", "5");
	world_stop(w);
}
END_TEST

/* What a worker serves is believed a little longer than it lives. */
START_TEST(a_task_whose_own_queue_nobody_serves_any_more_is_warned_of)
{
	struct world *w = begin(_i);

	worker_stop(worker_start(w, NULL));
	WAIT_UNTIL(strstr(ctl(w, "submit add 1 2")->err,
			  "warning: no living worker serves queue \"io\"") !=
		   NULL);
	ck_assert_str_eq(ctl(w, "submit add 1 2 -q")->err, "");
	world_stop(w);
}
END_TEST

/* --- many lines ---------------------------------------------------------- */

START_TEST(a_problem_of_many_lines_is_told_three_times_and_counted)
{
	struct world *w = begin(_i);
	const struct run *r;

	worker_start(w, NULL);
	r = run(w, "(yes '{\"name\":\"ad\"}' | head -n 1000; echo nonsense; "
		   "echo '{\"name\":\"add\",\"args\":[1,2]}'; "
		   "echo '{\"name\":\"ad\"}') | flowrractl --config "
		   "flowrra.conf submit --stdin");
	ck_assert_int_eq(r->status, 65);
	ck_assert_uint_eq(n_times(r->out, "\n"), 1003);
	ck_assert_uint_eq(n_times(r->err, "\n"), 6);
	ck_assert_uint_eq(n_times(r->err, "unknown task \"ad\""), 4);
	ck_assert_ptr_nonnull(strstr(
	    r->err, "submit: 997 more lines with this problem, up to line "
		    "1000\n"));
	ck_assert_ptr_nonnull(strstr(r->err, "line 1001: not JSON"));
	ck_assert_ptr_nonnull(strstr(r->err, "line 1003: unknown task"));
	/* Programs get them all. */
	r = run(w, "yes '{\"name\":\"ad\"}' | head -n 1000 | flowrractl "
		   "--config flowrra.conf submit --stdin --json");
	ck_assert_uint_eq(n_times(r->out, "\"code\":65"), 1000);
	world_stop(w);
}
END_TEST

/* --- tasks --------------------------------------------------------------- */

START_TEST(dead_tasks_are_listed_and_retried_since_a_time)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	submit(w, "fail x --max-retries 0 --id a");
	WAIT_UNTIL(says(w, "stats", "dead", "1"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "tasks dead --since 1h"), "a"));
	ck_run(ctl(w, "tasks dead --since 0s"), 0, "");
	ck_run(ctl(w, "tasks delete --since 0s"), 0, "0 deleted\n");
	ck_run(ctl(w, "tasks delete --since 1h"), 0, "1 deleted\n");
	world_stop(w);
}
END_TEST

/* What is said once is not said again, in another member or as JSON. */
START_TEST(a_task_is_shown_once)
{
	struct world *w = begin(_i);
	const char *shown;

	worker_start(w, NULL);
	submit(w, "fail '[\"because\"]' --max-retries 0 --id dies");
	WAIT_UNTIL(says(w, "tasks show dies", "where", "dead"));
	shown = ctl_ok(w, "tasks show dies");
	ck_assert_uint_eq(n_times(shown, "dies"), 1);
	ck_assert_uint_eq(n_times(shown, "\nargs "), 1);
	ck_assert_uint_eq(n_times(shown, "submitted_at"), 1);
	/* Only the entry has them. */
	ck_assert_ptr_nonnull(strstr(shown, "\ndied_at "));
	ck_assert_ptr_nonnull(strstr(shown, "\nmax_retries      0\n"));
	put(w, "waits", "--queue nowhere --priority 7");
	shown = ctl_ok(w, "tasks show waits");
	ck_assert_uint_eq(n_times(shown, "waits"), 1);
	ck_assert_ptr_nonnull(strstr(shown, "\npriority         7"));
	world_stop(w);
}
END_TEST

START_TEST(registered_tasks_that_nobody_serves_are_counted)
{
	struct world *w = begin(_i);

	worker_start(w, NULL);
	ck_answer(w, "stats", "unserved", "0");
	ck_assert_ptr_null(strstr(ctl_ok(w, "health"), "no living worker"));
	ctl_ok(w, "worker stop test:1");
	WAIT_UNTIL(says(w, "stats", "workers", "0"));
	ck_assert_str_eq(answer(w, "stats", "unserved"),
			 answer(w, "stats", "registered"));
	ck_assert_ptr_nonnull(
	    strstr(ctl(w, "health")->out,
		   "registered tasks are served by no living worker"));
	world_stop(w);
}
END_TEST

/* Says of a task that runs that it began years ago. */
static void
make_old(struct world *w, int broker, const char *id)
{
	static const char record[] =
	    "{\"task_id\":\"%s\",\"status\":\"running\",\"task_name\":"
	    "\"sleep\",\"worker\":\"test:1\",\"started_at\":"
	    "\"2020-01-01T00:00:00+00:00\"}";
	const char *text = world_text(w, record, id);
	sqlite3 *db;

	if (broker != ON_SQLITE) {
		redis_server_run(world_redis(w), "SET flowrra:task:%s %s", id,
				 text);
		return;
	}
	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/flowrra.db", world_dir(w)), &db), 0);
	sqlite3_busy_timeout(db, PATIENCE_MS);
	text = world_text(w,
			  "UPDATE results SET record = CAST('%s' AS BLOB) "
			  "WHERE id = '%s'",
			  text, id);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), 0);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

START_TEST(the_doctor_names_the_task_that_runs_for_longest)
{
	struct world *w = begin(_i);
	const struct run *r;

	worker_start(w, NULL);
	submit(w, "sleep 60 --id long");
	submit(w, "sleep 60 --id short");
	WAIT_UNTIL(says(w, "tasks show long", "record.status", "running") &&
		   says(w, "tasks show short", "record.status", "running"));
	ck_assert_ptr_null(strstr(ctl(w, "doctor")->out, "more than an hour"));
	make_old(w, _i, "long");
	r = ctl(w, "doctor");
	ck_assert_ptr_nonnull(
	    strstr(r->out, "tasks: 1 tasks run for more than an hour, the "
			   "longest is long (sleep) on test:1, for "));
	ctl_ok(w, "cancel long short");
	world_stop(w);
}
END_TEST

/* --- servers ------------------------------------------------------------- */

START_TEST(a_refused_connection_is_told_at_once)
{
	struct world *w = begin(ON_REDIS);
	const int64_t began = now_ms();

	ck_complains(run(w, "env -u FLOWRRA_BROKER_URL flowrractl -o "
			    "broker.url=redis://127.0.0.1:1 -o "
			    "broker.socket_timeout=25 submit add 1 2"),
		     69, "Connection refused");
	ck_complains(run(w, "flowrractl -o broker.url=unix:///nowhere -o "
			    "broker.socket_timeout=25 stats"),
		     69, "No such file");
	ck_assert_int_lt(now_ms() - began, 20000);
	world_stop(w);
}
END_TEST

SUITE("hints")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_queue_that_nobody_knows_is_paused_with_a_warning);
	TEST_BOTH(a_queue_that_nobody_serves_is_warned_of);
	TEST_BOTH(a_task_whose_own_queue_nobody_serves_any_more_is_warned_of);
	TEST_BOTH(a_problem_of_many_lines_is_told_three_times_and_counted);
	TEST_BOTH(dead_tasks_are_listed_and_retried_since_a_time);
	TEST_BOTH(a_task_is_shown_once);
	TEST_BOTH(registered_tasks_that_nobody_serves_are_counted);
	TEST_BOTH(the_doctor_names_the_task_that_runs_for_longest);
	TEST(a_refused_connection_is_told_at_once);
}
