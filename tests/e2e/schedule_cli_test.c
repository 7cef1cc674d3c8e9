/* SPDX-License-Identifier: MIT */
/* The command line's verbs about schedules, with a scheduler and a worker. */
#include <string.h>

#include <hiredis/hiredis.h>

#include "e2e/schedule_scene.h"

static void
start_beat(struct world *w)
{
	worker_start(w, "exec flowrra-beat --config flowrra.conf");
}

START_TEST(a_schedule_is_made_shown_and_removed)
{
	struct world *w = schedule_world();
	const char *shown;

	ck_run(ctl(w, "schedule cron add '0 9 * * MON-FRI' --tz Europe/Berlin "
		      "--args '[2, 3]' --description 'a sum' --misfire once "
		      "--id sum"),
	       0, "sum\n");
	shown = ctl_ok(w, "schedule show sum --json");
	ck_assert_str_eq(json_field(w, shown, "rule"), "0 9 * * MON-FRI");
	ck_assert_str_eq(json_field(w, shown, "tz"), "Europe/Berlin");
	ck_assert_str_eq(json_field(w, shown, "args"), "[2,3]");
	ck_assert_str_eq(json_field(w, shown, "description"), "a sum");
	ck_assert_str_eq(json_field(w, shown, "enabled"), "true");
	ck_assert_str_ne(json_field(w, shown, "next_run"), "null");
	ck_run(ctl(w, "schedule disable sum"), 0, "");
	ck_run(ctl(w, "schedule list --enabled --json"), 0, "[]\n");
	ck_run(ctl(w, "schedule enable sum"), 0, "");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule list"), "Europe/Berlin"));
	ck_run(ctl(w, "schedule delete sum"), 0, "");
	ck_complains(ctl(w, "schedule show sum"), 2, "sum");
	world_stop(w);
}
END_TEST

START_TEST(several_schedules_are_changed_and_each_is_reported)
{
	struct world *w = schedule_world();
	struct run *r;

	ctl_ok(w, "schedule interval add 1h --args '[1,1]' --id a");
	ctl_ok(w, "schedule interval add 1h --args '[1,2]' --id b");
	ctl_ok(w, "schedule interval add 1h --args '[1,3]' --id c");
	ck_run(ctl(w, "schedule disable a b"), 0, "disabled a\ndisabled b\n");
	ck_run(ctl(w, "schedule enable b a --json"), 0,
	       "{\"id\":\"b\",\"enabled\":true}\n"
	       "{\"id\":\"a\",\"enabled\":true}\n");
	/* One that is not there keeps no other from it. */
	r = ctl(w, "schedule delete a nobody b");
	ck_assert_int_eq(r->status, 2);
	ck_assert_str_eq(r->out, "deleted a\ndeleted b\n");
	ck_assert_ptr_nonnull(strstr(r->err, "nobody"));
	r = ctl(w, "schedule delete nobody c --json");
	ck_assert_int_eq(r->status, 2);
	ck_assert_ptr_nonnull(
	    strstr(r->out, "{\"id\":\"nobody\",\"code\":2,\"error\":"));
	ck_assert_ptr_nonnull(
	    strstr(r->out, "}\n{\"id\":\"c\",\"deleted\":true}\n"));
	ck_run(ctl(w, "schedule list --json"), 0, "[]\n");
	world_stop(w);
}
END_TEST

START_TEST(an_identical_schedule_is_made_once)
{
	struct world *w = schedule_world();

	ctl_ok(w, "schedule interval add 300 --args '[1,2]' --id five");
	ck_run(ctl(w, "schedule interval add 5m --args '[1, 2]'"), 0, "five\n");
	ck_assert_str_ne(ctl_ok(w, "schedule interval add 5m --args '[1, 3]'"),
			 "five");
	ck_complains(ctl(w, "schedule interval add 10m --id five"), 77,
		     "rule: \"300s\" -> \"600s\"");
	ck_complains(ctl(w, "schedule interval add 5m --args '[1,2]' --id five "
			    "--queue io"),
		     77, "queue: null -> \"io\"");
	/* Not without a word to the one that is disabled. */
	ck_run(ctl(w, "schedule disable five"), 0, "");
	ck_complains(ctl(w, "schedule interval add 5m --args '[1, 2]'"), 77,
		     "schedule enable five");
	ck_run(ctl(w, "schedule set five --queue io"), 0, "");
	ck_run(ctl(w, "schedule enable five"), 0, "");
	ck_run(ctl(w, "schedule interval add 300 --args '[1,2]' --queue io "
		      "--id five"),
	       0, "five\n");
	ck_complains(ctl(w, "schedule interval ad 10m"), 65,
		     "similar names: \"add\"");
	ck_complains(ctl(w, "schedule interval ad 10m"), 65, "--force");
	ck_complains(ctl(w, "schedule edit five --task ad"), 65, "--force");
	ck_complains(ctl(w, "schedule interval 'a d' 10m"), 65, "name");
	world_stop(w);
}
END_TEST

START_TEST(schedules_fire_and_their_tasks_run)
{
	struct world *w = schedule_world();
	const char *once, *id;

	start_beat(w);
	once = ctl_ok(w, "schedule once add 'in 1s' --args '[20, 3]'");
	ctl_ok(w, "schedule interval add 1s --args '[1, 2]' --id often "
		  "--max-runs 2");
	WAIT_UNTIL(
	    strcmp(json_field(w, ctl_ok(w, "schedule show %s --json", once),
			      "runs"),
		   "1") == 0);
	WAIT_UNTIL(strcmp(json_field(w, ctl_ok(w, "schedule show often --json"),
				     "runs"),
			  "2") == 0);
	ck_assert_str_eq(
	    json_field(w, ctl_ok(w, "schedule show often --json"), "next_run"),
	    "null");
	/* One that fires no more can still be run by hand. */
	id = ctl_ok(w, "schedule run %s", once);
	wait_status(w, id, "success");
	ck_field(w, id, "result", "23");
	world_stop(w);
}
END_TEST

#define FIRES "flowrractl -c flowrra.conf schedule history fast --json | "

START_TEST(a_schedule_fires_ten_times_in_a_second)
{
	struct world *w = schedule_world();

	start_beat(w);
	ctl_ok(w, "schedule interval add 0.1s --args '[1, 2]' --id fast "
		  "--max-runs 12");
	ck_assert_str_eq(
	    json_field(w, ctl_ok(w, "schedule show fast --json"), "rule"),
	    "100ms");
	WAIT_UNTIL(
	    strcmp(run(w, FIRES "grep -o success | wc -l")->out, "12\n") == 0);
	/* Each fire is a task with an ID of its own. */
	ck_run(run(w, FIRES "grep -o 'fast:[0-9T.]*Z' | sort -u | wc -l"), 0,
	       "12\n");
	world_stop(w);
}
END_TEST

START_TEST(the_next_fires_need_no_server)
{
	const struct world_options o = {.no_worker = true,
					.url = "redis://127.0.0.1:1"};
	struct world *w = world_start(&o);
	struct run *r;

	ck_run(ctl(w, "schedule next '0 9 * * MON-FRI' --tz Europe/Berlin "
		      "--after 2026-03-28T00:00:00Z --count 2"),
	       0, "2026-03-30T09:00:00+02:00\n2026-03-31T09:00:00+02:00\n");
	ck_run(ctl(w, "schedule next '0 9 * * *' --tz Asia/Tokyo "
		      "--after 1970-01-01T00:00:00Z --count 1"),
	       0, "1970-01-02T09:00:00+09:00\n");
	ck_run(ctl(w, "schedule next '@yearly' --after 2026-03-28T00:00:00Z "
		      "--count 1 --json"),
	       0, "[\"2027-01-01T00:00:00+00:00\"]\n");
	/* What the clock does is told beside the times. */
	r = ctl(w, "schedule next '30 2 28 3 *' --tz Europe/Berlin "
		   "--after 2027-01-01T00:00:00Z --count 1");
	ck_assert_str_eq(r->out, "2027-03-28T03:00:00+02:00\n");
	ck_assert_ptr_nonnull(strstr(
	    r->err,
	    "2027-03-28T01:00:00+00:00: the clock of Europe/Berlin leaves "
	    "out"));
	r = ctl(w, "schedule next '30 2 31 10 *' --tz Europe/Berlin "
		   "--after 2027-01-01T00:00:00Z --count 1 --quiet");
	ck_assert_str_eq(r->out, "2027-10-31T02:30:00+02:00\n");
	ck_assert_str_eq(r->err, "");
	r = ctl(w, "schedule next '0 9 * * 6L' --count 1 --json");
	ck_assert_int_eq(r->status, 0);
	ck_assert_ptr_nonnull(strstr(r->err, "from 1 as in Quartz"));
	world_stop(w);
}
END_TEST

START_TEST(what_is_wrong_is_shown_where_it_stands)
{
	static const struct {
		const char *words;
		int status;
		const char *part;
	} cases[] = {
	    {"next '0 25 * * *'", 65, "\n  0 25 * * *\n    ^~\n"},
	    {"next '0 9 * * MON-FRY'", 65, "did you mean FRI"},
	    {"next '0 0 30 2 *'", 65, "never fires"},
	    {"next '* * * *'", 65, "field"},
	    {"cron add '0 9 * * *' --tz Europe/Berln", 65, "Europe/Berlin"},
	    {"cron add 'CRON_TZ=UTC 0 9 * * *' --tz Asia/Tokyo", 65,
	     "already has a time zone"},
	    {"next 'CRON_TZ=UTC 0 9 * * *' --tz Asia/Tokyo", 65,
	     "already has a time zone"},
	    {"cron ad '0 9 * * *'", 65, "add"},
	    {"once add 2020-01-01T00:00:00Z", 65, "in the past"},
	    {"once add 'in a while'", 65, "a while"},
	    {"interval add 0", 65, ""},
	    {"interval add 5m --args '{}'", 65, "array"},
	    {"interval add 5m --misfire never", 65, "skip, once, all"},
	    {"cron add '0 9 * * *' --end-at 1s --start-at 2s", 65, "end"},
	    {"enable nobody", 2, "nobody"},
	    {"run nobody", 2, "nobody"},
	};
	struct world *w = schedule_world();
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_complains(ctl(w, "schedule %s", cases[i].words),
			     cases[i].status, cases[i].part);
	ck_run(ctl(w, "schedule list --json"), 0, "[]\n");
	world_stop(w);
}
END_TEST

START_TEST(a_schedule_waits_for_its_last_task)
{
	struct world *w = schedule_world();

	start_beat(w);
	ctl_ok(w, "schedule interval sleep 1s --args '[4]' --overlap skip "
		  "--id long");
	WAIT_UNTIL(strstr(ctl_ok(w, "schedule stats long"), "overlap") != NULL);
	ck_assert_str_eq(
	    json_field(w, ctl_ok(w, "schedule show long --json"), "runs"), "1");
	world_stop(w);
}
END_TEST

/* All tasks of the queue "idle" have this. */
static void
ck_queued_with(struct world *w, size_t n, const char *text)
{
	struct redisReply *tasks = redis_server_command(
	    world_redis(w), "LRANGE flowrra:queue:idle 0 -1");
	size_t i;

	ck_assert_uint_eq(tasks->elements, n);
	for (i = 0; i < n; i++)
		ck_assert_msg(strstr(tasks->element[i]->str, text) != NULL,
			      "%s", tasks->element[i]->str);
	freeReplyObject(tasks);
}

START_TEST(a_fired_task_has_the_options_of_its_schedule)
{
	static const char *const options[][2] = {
	    {"max_retries", "7"},     {"retry_delay", "2.0"},
	    {"retry_backoff", "1.5"}, {"retry_delay_max", "60.0"},
	    {"retry_jitter", "0.1"},  {"timeout", "90.0"},
	    {"expires", "3600.0"},    {"group", "tenant 7"},
	};
	struct world *w = schedule_world();
	const char *shown;
	size_t i;

	ctl_ok(w, "schedule once add 'in 1s' --args '[1, 2]' --id once "
		  "--queue idle --max-retries 7 --retry-delay 2 "
		  "--retry-backoff 1.5 --retry-delay-max 1m "
		  "--retry-jitter 0.1 --timeout 90s --expires 1h "
		  "--group 'tenant 7'");
	shown = ctl_ok(w, "schedule show once --json");
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		ck_assert_str_eq(json_field(w, shown, options[i][0]),
				 options[i][1]);
	start_beat(w);
	WAIT_UNTIL(strstr(ctl_ok(w, "queues --json"), "\"idle\"") != NULL);
	shown = ctl_ok(w, "tasks pending --queue idle --json");
	ck_assert_msg(strstr(shown, "once:") != NULL, "%s", shown);
	ck_queued_with(w, 1, "\"group\":\"tenant 7\"");
	/* By hand, too. */
	ctl_ok(w, "schedule run once");
	ck_queued_with(w, 2, "\"group\":\"tenant 7\"");
	world_stop(w);
}
END_TEST

START_TEST(a_task_of_a_schedule_is_stopped_at_its_timeout)
{
	struct world *w = schedule_world();
	const char *id;

	ctl_ok(w, "schedule once sleep 'in 1h' --args '[20]' --id late "
		  "--max-retries 0 --timeout 1s");
	id = ctl_ok(w, "schedule run late");
	wait_status(w, id, "failed");
	ck_field(w, id, "reason", "timeout");
	world_stop(w);
}
END_TEST

START_TEST(a_run_by_hand_is_waited_for_like_a_submission)
{
	struct world *w = schedule_world();
	const char *record;
	struct run *r;

	ctl_ok(w, "schedule once add 'in 1h' --args '[20, 3]' --id sum");
	ctl_ok(w, "schedule once fail 'in 1h' --max-retries 0 --id bad");
	ctl_ok(w, "schedule once sleep 'in 1h' --args '[20]' --id slow");
	ck_run(ctl(w, "schedule run sum --wait"), 0, "23\n");
	record = ctl_ok(w, "schedule run sum --wait --wait-timeout 60 --json");
	ck_assert_str_eq(json_field(w, record, "status"), "success");
	ck_assert_str_eq(json_field(w, record, "result"), "23");
	r = ctl(w, "schedule run bad --wait");
	ck_assert_int_eq(r->status, 1);
	ck_assert_str_eq(r->out, "");
	/* The task goes on, and its ID is told. */
	ck_complains(ctl(w, "schedule run slow --wait --wait-timeout 0.1s"), 3,
		     "was queued, but");
	ck_complains(ctl(w, "schedule run sum --wait-timeout 1"), 64,
		     "--wait-timeout needs --wait");
	ck_complains(ctl(w, "schedule run nobody --wait"), 2, "nobody");
	world_stop(w);
}
END_TEST

/* --- editing ------------------------------------------------------------- */

START_TEST(an_edit_changes_what_is_given_and_nothing_else)
{
	struct world *w = schedule_world();
	const char *shown;

	ctl_ok(w, "schedule cron add '0 9 * * MON-FRI' --tz Europe/Berlin "
		  "--args '[2,3]' --description 'a sum' --timeout 30 --id sum");
	ck_run(ctl(w, "schedule edit sum --rule '30 8 * * *' --queue cpu"), 0,
	       "");
	shown = ctl_ok(w, "schedule show sum --json");
	ck_assert_str_eq(json_field(w, shown, "rule"), "30 8 * * *");
	ck_assert_str_eq(json_field(w, shown, "words"),
			 "every day at 08:30, Europe/Berlin time");
	ck_assert_str_eq(json_field(w, shown, "queue"), "cpu");
	ck_assert_str_eq(json_field(w, shown, "args"), "[2,3]");
	ck_assert_str_eq(json_field(w, shown, "description"), "a sum");
	ck_assert_str_eq(json_field(w, shown, "timeout"), "30.0");
	/* An empty value is as if it had not been given. */
	shown = ctl_ok(w, "schedule edit sum --timeout '' --tz '' --json");
	ck_assert_str_eq(json_field(w, shown, "timeout"), "null");
	ck_assert_str_eq(json_field(w, shown, "tz"), "UTC");
	ctl_ok(w, "schedule edit sum --type interval --rule 5m --json");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule list --text 'EVERY 5 MIN'"), "sum"));
	world_stop(w);
}
END_TEST

START_TEST(edits_at_the_same_time_are_both_made)
{
	struct world *w = schedule_world();
	const char *shown;
	int i;

	ctl_ok(w, "schedule interval add 1h --id sum");
	for (i = 0; i < 5; i++) {
		ck_run(run(w,
			   "flowrractl -c flowrra.conf schedule edit "
			   "sum --priority %d & "
			   "flowrractl -c flowrra.conf schedule edit "
			   "sum --max-runs %d & wait",
			   i + 1, i + 10),
		       0, "");
		shown = ctl_ok(w, "schedule show sum --json");
		ck_assert_str_eq(json_field(w, shown, "priority"),
				 world_text(w, "%d", i + 1));
		ck_assert_str_eq(json_field(w, shown, "max_runs"),
				 world_text(w, "%d", i + 10));
	}
	world_stop(w);
}
END_TEST

START_TEST(a_bad_edit_is_refused_and_changes_nothing)
{
	static const struct {
		const char *words;
		int status;
		const char *part;
	} cases[] = {
	    {"edit sum --rule '0 25 * * *'", 65, "\n  0 25 * * *\n    ^~\n"},
	    {"edit sum --priority many", 65, "--priority"},
	    {"edit sum --task ad", 65, "--force"},
	    {"edit sum --tz Europe/Berln", 65, "Europe/Berlin"},
	    {"edit sum --type weekly", 65, "cron, interval, once"},
	    {"edit sum", 64, "give an option"},
	    {"edit nobody --queue cpu", 2, "nobody"},
	    {"fires nobody", 2, "nobody"},
	    {"list --order size", 65, "id, next"},
	};
	struct world *w = schedule_world();
	const char *before;
	size_t i;

	ctl_ok(w, "schedule cron add '0 9 * * *' --id sum");
	ctl_ok(w, "schedule cron add '0 8 * * *' --id other");
	before = ctl_ok(w, "schedule show sum --json");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_complains(ctl(w, "schedule %s", cases[i].words),
			     cases[i].status, cases[i].part);
	ck_assert_str_eq(ctl_ok(w, "schedule show sum --json"), before);
	/* Two that say the same are two: their IDs tell them apart. */
	ck_run(ctl(w, "schedule edit sum --rule '0 8 * * *'"), 0, "");
	ck_run(ctl(w, "schedule cron add '0 8 * * *' --id sum"), 0, "sum\n");
	ck_run(ctl(w, "schedule cron add '0 8 * * *' --id other"), 0,
	       "other\n");
	world_stop(w);
}
END_TEST

START_TEST(a_schedule_that_is_edited_fires_by_the_new_rule)
{
	struct world *w = schedule_world();
	const char *fires;

	start_beat(w);
	ctl_ok(w, "schedule interval add 1h --args '[1,2]' --id sum");
	ctl_ok(w, "schedule edit sum --rule 1s --json");
	WAIT_UNTIL(
	    strcmp(json_field(w, ctl_ok(w, "schedule show sum --json"), "runs"),
		   "0") != 0);
	ctl_ok(w, "schedule edit sum --rule 1h --json");
	/* What has fired is there, with the state of its task. */
	WAIT_UNTIL((fires = ctl_ok(w, "schedule fires sum --status --json "
				      "--limit 1"),
		    strstr(fires, "\"status\":\"success\"") != NULL ||
			strstr(fires, "\"status\": \"success\"") != NULL));
	ck_assert_ptr_nonnull(strstr(fires, "sum:"));
	ck_assert_ptr_nonnull(strstr(ctl_ok(w, "schedule fires sum"), "sent"));
	world_stop(w);
}
END_TEST

/* The first fire in the history, with what its task's record says. */
static const char *
first_fire(struct world *w, const char *options)
{
	const char *all =
	    ctl_ok(w, "schedule history bad --limit 1 --json %s", options);

	ck_assert_msg(all[0] == '[' && all[1] == '{', "%s", all);
	return world_text(w, "%.*s", (int)strlen(all) - 2, all + 1);
}

START_TEST(a_history_tells_what_became_of_the_tasks)
{
	struct world *w = schedule_world();
	const char *fire;

	start_beat(w);
	ctl_ok(w, "schedule once fail 'in 1s' --id bad --max-retries 0 "
		  "--args '[\"the first line\\nmore\"]'");
	WAIT_UNTIL(
	    strcmp(json_field(w, ctl_ok(w, "schedule show bad --json"), "runs"),
		   "1") == 0);
	WAIT_UNTIL((fire = first_fire(w, ""),
		    strcmp(json_field(w, fire, "status"), "failed") == 0));
	ck_assert_str_eq(json_field(w, fire, "outcome"), "sent");
	ck_assert_str_eq(json_field(w, fire, "error"), "the first line");
	ck_assert_ptr_nonnull(strstr(json_field(w, fire, "started_at"), "T"));
	ck_assert_str_ne(json_field(w, fire, "duration"), "null");
	ck_assert_ptr_nonnull(
	    strstr(ctl_ok(w, "schedule fires bad"), "the first line"));
	ck_run(ctl(w, "schedule history bad --before 1h --json"), 0, "[]\n");
	/* The database alone knows no task's end, and needs no backend. */
	redis_server_pause(world_redis(w));
	fire = first_fire(w, "--no-status -o backend.socket_timeout=1");
	ck_assert_str_eq(json_field(w, fire, "outcome"), "sent");
	ck_assert_str_eq(json_field(w, fire, "status"), "null");
	redis_server_continue(world_redis(w));
	redis_server_run(world_redis(w), "DEL flowrra:task:%s",
			 json_field(w, fire, "task_id"));
	ck_assert_str_eq(json_field(w, first_fire(w, ""), "status"), "unknown");
	WAIT_UNTIL(
	    strcmp(json_field(w, first_fire(w, "-o backend.ttl=1s"), "status"),
		   "expired") == 0);
	world_stop(w);
}
END_TEST

SUITE("schedule-verbs")
{
	SUITE_TIMEOUT(120);
	TEST(a_history_tells_what_became_of_the_tasks);
	TEST(a_schedule_is_made_shown_and_removed);
	TEST(several_schedules_are_changed_and_each_is_reported);
	TEST(an_identical_schedule_is_made_once);
	TEST(schedules_fire_and_their_tasks_run);
	TEST(a_schedule_fires_ten_times_in_a_second);
	TEST(the_next_fires_need_no_server);
	TEST(what_is_wrong_is_shown_where_it_stands);
	TEST(a_schedule_waits_for_its_last_task);
	TEST(a_fired_task_has_the_options_of_its_schedule);
	TEST(a_task_of_a_schedule_is_stopped_at_its_timeout);
	TEST(a_run_by_hand_is_waited_for_like_a_submission);
	TEST(an_edit_changes_what_is_given_and_nothing_else);
	TEST(edits_at_the_same_time_are_both_made);
	TEST(a_bad_edit_is_refused_and_changes_nothing);
	TEST(a_schedule_that_is_edited_fires_by_the_new_rule);
}
