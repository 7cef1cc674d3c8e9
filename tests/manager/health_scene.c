/* SPDX-License-Identifier: MIT */
/* The scene of the tests of health and of the doctor. */
#include "manager/health_scene.h"

#include <stdlib.h>
#include <string.h>

#include "manager/doctor.h"
#include "manager/health.h"
#include "suite.h"
#include "util/conf.h"

struct schedules *health_db;

void
health_begin(void)
{
	const struct schedules_options options = {.timeout_ms = 5000};
	struct schedules_options with_url = options;

	scene_begin();
	with_url.url = scene.client->conf->scheduler.database_url;
	ck_assert_msg((health_db = schedules_open(&with_url, &scene.err)) !=
			  NULL,
		      "%s", scene.err.msg);
}

void
health_end(void)
{
	schedules_close(health_db);
	scene_end();
}

void
add_schedule(const char *id, int64_t due_us)
{
	const struct schedule schedule = {.id = id,
					  .task = "add",
					  .type = SCHEDULE_INTERVAL,
					  .rule = id,
					  .enabled = true,
					  .settings = TASK_SETTINGS_UNSET,
					  .grace_us = SCHEDULE_UNSET,
					  .next_run_us = due_us,
					  .due_us = due_us};
	char stored[SCHEDULE_ID_MAX + 1];
	bool existing;

	ck_assert_msg(schedules_create(health_db, &schedule, SCENE_NOON_US,
				       stored, &existing, &scene.err) == 0,
		      "%s", scene.err.msg);
}

void
move_schedule(const char *id, int64_t us)
{
	const struct schedule_next next = {us, us, ""};

	ck_assert_msg(schedules_enable(health_db, id, &next, SCENE_NOON_US,
				       &scene.err) == 0,
		      "%s", scene.err.msg);
}

void
add_scheduler(const char *id, int64_t seen_us, int64_t lag_us)
{
	const struct schedules_scheduler one = {.id = id,
						.host = "here",
						.pid = 1,
						.seen_us = seen_us,
						.lag_us = lag_us};

	ck_assert_msg(schedules_beat(health_db, &one, &scene.err) == 0, "%s",
		      scene.err.msg);
}

void
add_state(const char *id, const char *state, int64_t clock_off_us,
	  const char *lacks)
{
	const struct schedules_scheduler one = {.id = id,
						.host = "here",
						.seen_us = SCENE_NOON_US,
						.clock_off_us = clock_off_us,
						.state = state,
						.lacks = lacks};

	ck_assert_msg(schedules_beat(health_db, &one, &scene.err) == 0, "%s",
		      scene.err.msg);
}

void
decide(schedule_decide_fn *decide_one)
{
	const struct schedules_claim claim = {
	    .now_us = SCENE_NOON_US, .limit = 10, .decide = decide_one};
	struct schedules_claimed claimed;

	ck_assert_msg(
	    schedules_claim(health_db, &claim, &claimed, &scene.err) == 0, "%s",
	    scene.err.msg);
	schedules_fires_free(claimed.fires);
}

void
set_aside(const struct schedule *s, struct schedule_verdict *verdict, void *arg)
{
	verdict->fault = "no such day";
}

void
miss(const struct schedule *s, struct schedule_verdict *verdict, void *arg)
{
	const struct schedule_fire fire = {
	    .fire_us = s->next_run_us, .queue = "io", .body = "{}"};

	verdict->skipped[SCHEDULE_LATE] = 2;
	verdict->next.next_run_us = SCENE_NOON_US + INT64_C(3600000000);
	verdict->next.due_us = verdict->next.next_run_us;
	ck_assert_int_eq(schedule_fire_add(verdict, &fire), 0);
}

void
be_well(void)
{
	scene_worker("w1", true, 0,
		     "{'queues':['io',5],'version':'" FLOWRRA_VERSION "'}");
}

void
set_broker_url(const char *url)
{
	free(scene.client->conf->broker.url);
	scene.client->conf->broker.url = strdup(url);
}

void
set_database_url(const char *url)
{
	free(scene.client->conf->scheduler.database_url);
	scene.client->conf->scheduler.database_url = strdup(url);
}

void
component_is(size_t at, bool healthy, const char *message)
{
	json_t *all = health_check(scene.client), *one;

	ck_assert_uint_eq(json_array_size(all), 7);
	one = json_array_get(all, at);
	ck_assert_str_eq(json_string_value(json_object_get(one, "message")),
			 message);
	ck_assert(json_is_true(json_object_get(one, "healthy")) == healthy);
	ck_assert(!health_is_good(all) || healthy);
	json_decref(all);
}

const char *
findings(void)
{
	static char text[4096];
	json_t *all = doctor_examine(scene.client), *one;
	const char *level, *about, *what, *remedy;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach (all, i, one) {
		ck_assert_int_eq(json_unpack(one, "{s:s,s:s,s:s,s:s}", "level",
					     &level, "about", &about, "what",
					     &what, "remedy", &remedy),
				 0);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s: %s\n",
				      level, about, what);
	}
	ck_assert(doctor_found_error(all) == (strstr(text, "error ") == text));
	json_decref(all);
	return text;
}
