/* SPDX-License-Identifier: MIT */
/* Schedules that begin workflows: each fire one, whole, whatever dies; and what the
 * command line shows of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "e2e/beat_scene.h"
#include "e2e/look.h"
#include "e2e/schedule_scene.h"
#include "e2e/workflow_scene.h"

#define SCHEDULES 20
#define PERIOD_MS 1000
/* No worker takes the first step, so that all of them can be counted. */
#define WORKFLOW                                                               \
	"{\"steps\":[{\"id\":\"a\",\"name\":\"add\",\"queue\":\"io\"},"        \
	"{\"id\":\"b\",\"name\":\"add\",\"queue\":\"io\","                     \
	"\"after\":[\"a:success\"],\"args\":[{\"$from\":\"a\"}]},"             \
	"{\"id\":\"c\",\"name\":\"add\",\"queue\":\"io\",\"on\":\"failure\"}]" \
	"}"

/* --- whatever dies --------------------------------------------------------- */

static void
pause_ms(int ms)
{
	const struct timespec t = {.tv_sec = ms / 1000,
				   .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static void
open_kind(struct scene *s, int kind)
{
	if (kind < SCENE_DATABASES)
		scene_open(s, (enum scene_database)kind);
	else if (kind == SCENE_DATABASES)
		scene_open_apart(s, SCENE_SQLITE);
	else
		scene_open_cluster(s, SCENE_SQLITE);
	s->workflow = WORKFLOW;
}
#define KINDS (SCENE_DATABASES + 2)

/* All of them stand in each state that a kill can leave them in. */
START_TEST(schedulers_that_are_killed_begin_each_workflow_once)
{
	unsigned int seed = (unsigned int)now_ms(), kills = 0, victim;
	struct scene s;

	open_kind(&s, _i);
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	for (; scene_enqueued(&s) < 5 * SCHEDULES || kills <= 20; kills++) {
		pause_ms(rand_r(&seed) % 150);
		victim = (unsigned int)rand_r(&seed) % SCENE_BEATS;
		worker_kill(s.beats[victim]);
		worker_restart(s.beats[victim]);
	}
	ck_assert_int_ge(scene_verdict(&s), 5 * SCHEDULES);
	scene_close(&s);
}
END_TEST

START_TEST(a_broker_that_was_away_is_sent_each_workflow_once)
{
	struct scene s;

	open_kind(&s, SCENE_SQLITE);
	s.command = "exec flowrra-beat --config flowrra.conf "
		    "-o broker.socket_timeout=1";
	scene_schedule(&s, SCHEDULES, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_enqueued(&s) > SCHEDULES);
	redis_server_pause(world_redis(s.world));
	WAIT_UNTIL(worker_logged(s.beats[0], "retrying") &&
		   worker_logged(s.beats[1], "retrying") &&
		   worker_logged(s.beats[2], "retrying"));
	redis_server_continue(world_redis(s.world));
	WAIT_UNTIL(scene_enqueued(&s) > 3 * SCHEDULES);
	scene_verdict(&s);
	scene_close(&s);
}
END_TEST

/* The workflow of the first fire waits for a worker that never comes. */
START_TEST(a_workflow_that_has_not_ended_lets_no_other_begin)
{
	struct scene s;

	open_kind(&s, SCENE_SQLITE);
	s.overlap = SCHEDULE_OVERLAP_SKIP;
	scene_schedule(&s, 3, PERIOD_MS);
	scene_start(&s, SCENE_BEATS);
	WAIT_UNTIL(scene_skipped(&s, SCHEDULE_OVERLAP) >= 9);
	ck_assert_int_eq(scene_enqueued(&s), 3);
	scene_close(&s);
}
END_TEST

/* --- the command line ------------------------------------------------------ */

#define FILE_TEXT                                                              \
	"[{\"id\":\"sum\",\"name\":\"add\",\"args\":[{\"$from\":\"one\"},2]}," \
	"\n"                                                                   \
	" {\"id\":\"one\",\"name\":\"add\",\"args\":[1,0],\n"                  \
	"  \"expires_at\":\"1h\",\"delay\":0.05}]\n"

/* With a worker and a scheduler. */
static struct world *
begin_flows(int kind)
{
	struct world *w = begin(kind);

	world_write(w, "flow.json", FILE_TEXT, strlen(FILE_TEXT));
	worker_start(w, NULL);
	worker_start(w, "exec flowrra-beat --config flowrra.conf");
	return w;
}

/* A member of the last fire; "" before there is one. */
static const char *
past(struct world *w, const char *id, const char *member)
{
	char *all = ctl_ok(w, "schedule history %s --limit 1 --json", id);

	if (strcmp(all, "[]") == 0)
		return "";
	all[strlen(all) - 1] = '\0';
	return json_field(w, all + 1, member);
}

START_TEST(a_fire_begins_the_workflow_of_a_file)
{
	struct world *w = begin_flows(_i);
	const char *id;

	ck_run(ctl(w, "schedule once sums 'in 1s' --workflow flow.json "
		      "--id once"),
	       0, "once\n");
	/* The same words find it again. */
	ck_run(ctl(w, "schedule once sums 'in 1s' --workflow flow.json "
		      "--id two --disabled"),
	       0, "two\n");
	WAIT_UNTIL(strcmp(past(w, "once", "status"), "succeeded") == 0);
	id = past(w, "once", "workflow");
	ck_assert_msg(strncmp(id, "once-20", 7) == 0, "%s", id);
	ck_assert_str_eq(past(w, "once", "task_id"), "null");
	ck_assert_str_eq(past(w, "once", "outcome"), "sent");
	ck_run(ctl(w, "result %s.sum", id), 0, "3\n");
	ck_flow(w, id, "label", "sums");
	ck_flow(w, id, "succeeded", "2");
	world_stop(w);
}
END_TEST

START_TEST(a_workflow_is_begun_by_hand)
{
	struct world *w = begin_flows(_i);
	const char *id;

	ctl_ok(w, "schedule cron sums '0 3 * * *' --workflow flow.json --id n");
	ck_run(ctl(w, "schedule run n --wait"), 0, "succeeded\n");
	id = ctl_ok(w, "schedule run n");
	ck_run(ctl(w, "workflow wait %s", id), 0, "succeeded\n");
	ck_flow(w, id, "label", "sums");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule run n --json"), "\"workflow\""));
	/* They are no fires. */
	ck_run(ctl(w, "schedule history n"), 0, "");
	world_stop(w);
}
END_TEST

START_TEST(an_edit_makes_a_workflow_of_a_task_and_back)
{
	struct world *w = begin_flows(_i);

	ctl_ok(w, "schedule cron add '0 3 * * *' --args '[1,2]' --id n");
	ck_complains(ctl(w, "schedule edit n --workflow flow.json"), 65,
		     "args means nothing beside a workflow");
	ctl_ok(w, "schedule edit n --workflow flow.json --args ''");
	ck_assert_ptr_nonnull(
	    strstr(answer(w, "schedule show n", "workflow"), "\"id\":\"sum\""));
	ck_run(ctl(w, "schedule run n --wait"), 0, "succeeded\n");
	ctl_ok(w, "schedule edit n --workflow '' --args '[3,4]'");
	ck_run(ctl(w, "schedule run n --wait"), 0, "7\n");
	world_stop(w);
}
END_TEST

START_TEST(mistakes_in_the_file_are_told_with_line_and_step)
{
	static const char text[] =
	    "[{\"id\":\"a\",\"name\":\"add\",\"after\":[\"b\"]},\n"
	    " {\"id\":\"b\",\"name\":\"add\",\n"
	    "  \"after\":[\"a\"]}]\n";
	static const char at_text[] = "[{\"id\":\"a\",\"name\":\"add\"},\n"
				      " {\"id\":\"b\",\"name\":\"add\",\n"
				      "  \"at\":\"2090-01-01T00:00:00Z\"}]\n";
	static const char unknown[] = "[{\"id\":\"a\",\"name\":\"nosuch\"}]";
	struct world *w = begin_flows(_i);

	world_write(w, "bad.json", text, strlen(text));
	ck_complains(ctl(w, "schedule cron n '0 3 * * *' --workflow bad.json"),
		     65, "step \"a\": waits for itself");
	world_write(w, "bad.json", at_text, strlen(at_text));
	ck_complains(ctl(w, "schedule cron n '0 3 * * *' --workflow bad.json"),
		     65, "bad.json:3: step \"b\": \"at\"");
	world_write(w, "bad.json", unknown, strlen(unknown));
	ck_complains(ctl(w, "schedule cron n '0 3 * * *' --workflow bad.json"),
		     65, "workflow: step \"a\": unknown task \"nosuch\"");
	ck_complains(ctl(w, "schedule cron n '0 3 * * *' --workflow none.json"),
		     65, "none.json");
	ck_run(ctl(w, "schedule list"), 0, "");
	ctl_ok(w, "schedule cron n '0 3 * * *' --workflow bad.json --force");
	world_stop(w);
}
END_TEST

/* What is exported makes the same. */
START_TEST(files_of_schedules_have_their_workflows)
{
	struct world *w = begin_flows(_i);
	const struct run *r;
	const char *forms[] = {"json", "ini"};
	size_t i;

	ctl_ok(w, "schedule cron sums '0 3 * * *' --workflow flow.json --id n");
	for (i = 0; i < 2; i++) {
		r = ctl(w, "schedule export --format %s", forms[i]);
		ck_assert_int_eq(r->status, 0);
		world_write(w, "all", r->out, strlen(r->out));
		ctl_ok(w, "schedule apply all");
		ck_assert_str_eq(answer(w, "schedule apply all", "unchanged"),
				 "1");
		ctl_ok(w, "schedule delete n");
		ctl_ok(w, "schedule apply all");
		ck_run(ctl(w, "schedule run n --wait"), 0, "succeeded\n");
	}
	ck_complains(run(w,
			 "sed 's/one:success/two:success/' all | "
			 "flowrractl --config flowrra.conf schedule apply -"),
		     65, "there is no step \"two\"");
	world_stop(w);
}
END_TEST

/* It waits for the step of the first one that runs. */
START_TEST(a_later_fire_takes_the_place_of_a_workflow)
{
	static const char text[] =
	    "{\"steps\":[{\"id\":\"a\",\"name\":\"sleep\",\"args\":[2.5]},"
	    "{\"id\":\"b\",\"name\":\"add\",\"after\":[\"a\"],\"args\":[1,2]}]"
	    "}";
	struct world *w = begin_flows(_i);

	world_write(w, "long.json", text, strlen(text));
	ctl_ok(w, "schedule interval long 1s --workflow long.json --id n "
		  "--overlap replace --max-runs 2");
	WAIT_UNTIL(strcmp(past(w, "n", "status"), "running") == 0);
	WAIT_UNTIL(strcmp(past(w, "n", "status"), "succeeded") == 0);
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule history n"), "	cancelled	"));
	world_stop(w);
}
END_TEST

SUITE("schedule-flows")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(schedulers_that_are_killed_begin_each_workflow_once, 0,
		  KINDS);
	TEST(a_broker_that_was_away_is_sent_each_workflow_once);
	TEST(a_workflow_that_has_not_ended_lets_no_other_begin);
	TEST_LOOP(a_fire_begins_the_workflow_of_a_file, 0, N_BROKERS);
	TEST_LOOP(a_workflow_is_begun_by_hand, 0, N_BROKERS);
	TEST_LOOP(an_edit_makes_a_workflow_of_a_task_and_back, 0, 1);
	TEST_LOOP(mistakes_in_the_file_are_told_with_line_and_step, 0, 1);
	TEST_LOOP(files_of_schedules_have_their_workflows, 0, 1);
	TEST_LOOP(a_later_fire_takes_the_place_of_a_workflow, 0, N_BROKERS);
}
