/* SPDX-License-Identifier: MIT */
#include "manager/planner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/plan.h"
#include "beat/rule.h"
#include "cron/tz.h"
#include "schedules/claim.h"
#include "suite.h"

struct planner planner;

void
planner_make(const char *id, const char *type, const char *rule, const char *tz)
{
	struct schedule_form form;
	char args[64], made[SCHEDULE_ID_MAX + 1];
	int64_t next_us;
	bool existing;

	schedule_form_init(&form);
	snprintf(args, sizeof(args), "[\"%s\"]", id);
	form.id = id;
	form.task = "add";
	form.type = type;
	form.rule = rule;
	form.tz = tz;
	form.args = args;
	form.force = true;
	OK(&planner.w,
	   schedule_create(planner.w.schedules, NULL, &form, PLANNER_NOON_US,
			   made, &existing, &next_us, &planner.fault,
			   &planner.w.err));
	ck_assert_str_eq(made, id);
	ck_assert(!existing);
}

const char *
planner_member(const json_t *json, const char *name)
{
	static char texts[4][512];
	static int turn;
	const json_t *value = json_object_get(json, name);
	char *text = texts[turn++ % 4], *dumped;

	if (json_is_string(value))
		return json_string_value(value);
	dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(text, sizeof(texts[0]), "%s", dumped != NULL ? dumped : "");
	free(dumped);
	return text;
}

const char *
planner_column(const json_t *answer, const char *name)
{
	static char text[4096];
	const json_t *item;
	size_t i, len = 0;

	text[0] = '\0';
	json_array_foreach (json_object_get(answer, "items"), i, item)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i > 0 ? " " : "",
					planner_member(item, name));
	return text;
}

static void
planner_decide(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct tz_set *zones = tz_set_new(NULL, NULL);
	static struct plan plan;
	struct schedule_fire fire = {.queue = "io", .body = "{}"};
	struct rule rule;
	size_t i;

	OK(&planner.w, rule_read(s, zones, &rule, NULL, &planner.w.err));
	plan_make(s, &rule, *(const int64_t *)arg, false, &plan);
	for (i = 0; i < plan.n_fires; i++) {
		fire.fire_us = plan.fires[i];
		ck_assert_int_eq(schedule_fire_add(v, &fire), 0);
		planner.fired_us[planner.n_fired++ % 64] = fire.fire_us;
	}
	for (i = 0; i < plan.n_skips; i++)
		ck_assert_int_eq(schedule_skip_add(v, &plan.skips[i]), 0);
	memcpy(v->skipped, plan.skipped, sizeof(v->skipped));
	v->last_run_us = plan.last_run_us;
	v->runs = plan.runs;
	v->next = (struct schedule_next){plan.next_run_us, plan.due_us, ""};
	tz_set_free(zones);
}

void
planner_claim(int64_t now_us)
{
	const struct schedules_claim claim = {.now_us = now_us,
					      .limit = 9,
					      .decide = planner_decide,
					      .arg = &now_us};
	struct schedules_claimed claimed;
	struct schedule_mark mark;
	size_t i;

	OK(&planner.w, schedules_claim(planner.w.schedules, &claim, &claimed,
				       &planner.w.err));
	for (i = 0; i < claimed.fires->n; i++) {
		mark = (struct schedule_mark){claimed.fires->items[i].schedule,
					      claimed.fires->items[i].fire_us,
					      NULL};
		OK(&planner.w, schedules_mark(planner.w.schedules, &mark, 1,
					      now_us, &planner.w.err));
	}
	schedules_fires_free(claimed.fires);
}

json_t *
planner_fires(const char *id, const char *cursor, size_t limit)
{
	const struct schedule_fires_query query = {
	    .id = id, .cursor = cursor, .limit = limit};

	return schedule_fires(planner.w.schedules, NULL, &query,
			      &planner.w.err);
}
