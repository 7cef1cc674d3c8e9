/* SPDX-License-Identifier: MIT */
/* Workflows whose steps vanish: each ends as lost, and its workflow goes on. */
#include <sqlite3.h>
#include <string.h>

#include "e2e/cluster_scene.h"
#include "e2e/workflow_scene.h"

#define SOON "[worker]\nlost_after = 1s\n"

/* On Redis also with the records elsewhere. */
enum { WITH_REDIS, WITH_SQLITE, WITH_RECORDS_APART, N_STORES };

static struct world *
begin_store(int store)
{
	const struct world_options apart = {
	    .no_worker = true, .config = SOON, .separate_backend = true};

	if (store == WITH_RECORDS_APART)
		return world_start(&apart);
	return begin_with(store == WITH_REDIS ? ON_REDIS : ON_SQLITE, SOON);
}

static void
sql(struct world *w, const char *text)
{
	sqlite3 *db;

	ck_assert_int_eq(
	    sqlite3_open(world_text(w, "%s/flowrra.db", world_dir(w)), &db), 0);
	sqlite3_busy_timeout(db, PATIENCE_MS);
	ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), 0);
	ck_assert_int_gt(sqlite3_changes(db), 0);
	sqlite3_close(db);
}

/* What an old copy of the store does, or a person. */
static void
delete_list(struct world *w, int store)
{
	if (store == WITH_SQLITE)
		sql(w, "DELETE FROM waiting");
	else
		redis_server_run(world_redis(w), "DEL flowrra:queue:io");
}

/* Nothing has happened in it for long, and it is due. */
static void
pass_time(struct world *w, int store)
{
	if (store == WITH_SQLITE)
		return;
	redis_server_run(world_redis(w),
			 "HSET {flowrra:queue:flow:W}:meta moved 1");
	redis_server_run(world_redis(w), "ZADD {flowrra:queue:flows}:due 1 W");
}

/* "b" is skipped, "c" and "x" run. */
static void
submit_steps(struct world *w, const char *queue)
{
	static const char *const steps[] = {
	    "add 1 1 --id a",
	    "add 1 1 --id later --delay 1h",
	    "add 1 1 --id b --after a",
	    "add 1 1 --id c --after a:failure",
	    "add 1 1 --id d --after b:complete",
	    "echo 1 1 --id x --on failure",
	};
	size_t i;

	ctl_ok(w, "workflow begin --id W");
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		submit(w, "%s --flow W --force --queue %s", steps[i], queue);
	ctl_ok(w, "workflow seal W");
}

static void
ck_went_on(struct world *w)
{
	ck_run(ctl(w, "wait c d --timeout 60"), 0, "c\t2\nd\t2\n");
	ck_assert_str_eq(told(w, "a", "status"), "failed");
	ck_assert_str_eq(told(w, "a", "reason"), "lost");
	ck_assert_ptr_nonnull(
	    strstr(told(w, "a", "error"), "failed in its workflow"));
	ck_is_skipped(w, "b");
	ck_assert_str_eq(told(w, "later", "status"), "pending");
	ck_flow(w, "W", "failed", "1");
	ck_flow(w, "W", "released", "1");
	ck_run(ctl(w, "cancel later"), 0, "");
	ck_run(ctl(w, "wait x --timeout 60"), 0,
	       "{\"args\":[1,1],\"kwargs\":{\"flow\":\"W\",\"outcome\":"
	       "\"failed\",\"failed\":[\"a\",\"later\"],\"counts\":{"
	       "\"steps\":5,\"succeeded\":2,\"failed\":2,\"skipped\":1,"
	       "\"unlisted\":0}}}\n");
	ck_flow(w, "W", "state", "failed");
}

START_TEST(a_step_that_vanished_fails_and_its_workflow_goes_on)
{
	struct world *w = begin_store(_i);

	submit_steps(w, "io");
	delete_list(w, _i);
	pass_time(w, _i);
	worker_start(w, NULL);
	ck_went_on(w);
	world_stop(w);
}
END_TEST

/* Its workflow has no steps, and has ended. */
START_TEST(a_callback_that_vanished_is_lost)
{
	struct world *w = begin_store(_i);

	ctl_ok(w, "workflow begin --id W");
	submit(w, "echo 1 1 --id x --on complete --flow W --force --queue io");
	ctl_ok(w, "workflow seal W");
	delete_list(w, _i);
	pass_time(w, _i);
	worker_start(w, NULL);
	ck_complains(ctl(w, "wait x --timeout 60"), 1, "lost");
	ck_assert_str_eq(told(w, "x", "reason"), "lost");
	ck_flow(w, "W", "state", "succeeded");
	world_stop(w);
}
END_TEST

START_TEST(it_does_so_in_a_cluster)
{
	struct cluster_scene s = {.w = NULL};
	struct redis_server *home;
	const char *queue;

	cluster_begin(&s, NULL);
	worker_stop(worker_of(s.w));
	queue = s.queues[0];
	submit_steps(s.w, queue);
	redis_server_run(redis_cluster_server_of(s.c, cluster_key(queue)),
			 "DEL %s", cluster_key(queue));
	home = redis_cluster_server_of(s.c, "{flowrra:queue:flow:W}");
	redis_server_run(home, "HSET {flowrra:queue:flow:W}:meta moved 1");
	redis_server_run(redis_cluster_server_of(s.c, "{flowrra:queue:flows}"),
			 "ZADD {flowrra:queue:flows}:due 1 W");
	worker_start(s.w, WORLD_COMMAND " -o worker.lost_after=1s");
	ck_went_on(s.w);
	cluster_end(&s);
}
END_TEST

/* Who retried it died when its record was pending, and it was on the dead list. */
START_TEST(a_retry_that_was_cut_off_is_repeated)
{
	static const char *const begun[] = {
	    "HSET {flowrra:queue:flow:W}:meta state running f 0",
	    "HDEL {flowrra:queue:flow:W}:ended a",
	    "ZADD {flowrra:queue:flow:W}:open 0 a",
	    "SET flowrra:task:a {\"task_id\":\"a\",\"status\":\"pending\","
	    "\"queue\":\"io\",\"flow\":\"W\"}"};
	struct world *w = begin_with(
	    ON_REDIS, "[task gate]\ncommand = test -e gate\nqueue = io\n");
	size_t i;

	worker_start(w, NULL);
	ctl_ok(w, "workflow begin --id W");
	submit(w, "gate --flow W --id a --max-retries 0");
	ck_complains(ctl(w, "workflow seal W --wait"), 1, "W failed");
	for (i = 0; i < sizeof(begun) / sizeof(begun[0]); i++)
		redis_server_run(world_redis(w), begun[i]);
	world_write(w, "gate", "", 0);
	ck_run(ctl(w, "workflow retry W"), 0, "1\n");
	ck_run(ctl(w, "workflow wait W"), 0, "succeeded\n");
	world_stop(w);
}
END_TEST

SUITE("workflow-lost")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_step_that_vanished_fails_and_its_workflow_goes_on, 0,
		  N_STORES);
	TEST_LOOP(a_callback_that_vanished_is_lost, 0, WITH_RECORDS_APART);
	TEST(it_does_so_in_a_cluster);
	TEST(a_retry_that_was_cut_off_is_repeated);
}
