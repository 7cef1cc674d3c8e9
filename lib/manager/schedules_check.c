/* SPDX-License-Identifier: MIT */
/*
 * Whether schedules fire as they should. Overdue ones stand at the beginning of
 * the index of due times, and next runs that a wrong clock has moved away by
 * years at its end: a look at both ends costs the same for any number of them.
 */
#include "manager/schedules_check.h"

#include <stdio.h>
#include <string.h>

#include "beat/plan.h"
#include "beat/rule.h"
#include "cron/tz.h"
#include "manager/health.h"
#include "schedules/health.h"
#include "util/clock.h"
#include "util/err.h"

int64_t
schedules_check_now(const struct schedules_stats *stats, int64_t wall_us)
{
	return stats->clock_us != 0 ? stats->clock_us : wall_us;
}

const char *
schedules_check_whose(const struct schedules_stats *stats)
{
	return stats->clock_us != 0 ? "the database's" : "this machine's";
}

int64_t
schedules_check_ahead_us(const struct schedules_scheduler *one, int64_t now_us)
{
	const int64_t ahead_us = one->seen_us - now_us;

	return ahead_us > HEALTH_LAG_US ? ahead_us : 0;
}

/* A living one says each ten seconds that it was seen, so a time that is far in
 * the future is of one that has ended. */
bool
schedules_check_alive(const struct schedules_scheduler *one, int64_t now_us)
{
	const int64_t ago_us = now_us - one->seen_us;

	return ago_us <= HEALTH_SCHEDULER_LIFE_US &&
	       ago_us >= -HEALTH_SCHEDULER_LIFE_US;
}

/* --- overdue ----------------------------------------------------------- */

static bool
lacks_zone(const struct schedules_scheduler *one, const char *zone)
{
	const size_t len = strlen(zone);
	const char *p = one->lacks;

	for (; len > 0 && (p = strstr(p, zone)) != NULL; p += len)
		if ((p == one->lacks || p[-1] == ',') &&
		    (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

/* What holds it up, with a scheduler that it holds up. */
static const char *
hindrance(const struct schedules_scheduler *one, const struct schedule *s,
	  char *text, size_t size)
{
	static const struct {
		const char *state, *why;
	} states[] = {
	    {SCHEDULES_STATE_DISABLED,
	     "is disabled ([scheduler] enabled = no)"},
	    {SCHEDULES_STATE_BROKER, "does not reach the broker"},
	    {SCHEDULES_STATE_CLOCK,
	     "has a clock that is not the database's and claims nothing"}};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(one->state, states[i].state) == 0) {
			snprintf(text, size, "scheduler %.60s %s", one->id,
				 states[i].why);
			return text;
		}
	if (!lacks_zone(one, s->tz))
		return NULL;
	snprintf(text, size, "scheduler %.60s has no data of time zone %.60s",
		 one->id, s->tz);
	return text;
}

/* One that lives and that nothing hinders is enough: it is late then. */
static void
find_why(const struct schedules_stats *stats, const struct schedule *s,
	 struct schedules_check *to)
{
	const struct schedules_scheduler *one = stats->schedulers;
	char text[160];
	size_t i;

	snprintf(to->why, sizeof(to->why), "no scheduler is alive");
	for (i = 0; i < stats->n_schedulers; i++, one++) {
		if (!schedules_check_alive(one, to->now_us))
			continue;
		if (hindrance(one, s, text, sizeof(text)) == NULL) {
			to->why[0] = '\0';
			return;
		}
		snprintf(to->why, sizeof(to->why), "%s", text);
	}
}

/* Not before a fire may be late: schedulers need a moment, too. */
static int
check_overdue(struct schedules *db, const struct schedules_stats *stats,
	      struct schedules_check *to, struct err *err)
{
	const struct schedules_filter filter = {.by_due = true,
						.limit = SCHEDULES_CHECK_MAX};
	const int64_t before_us = to->now_us - HEALTH_LAG_US;
	struct schedules_list *list;

	if (schedules_list(db, &filter, &list, err) != 0)
		return -1;
	while (to->overdue < list->n &&
	       list->items[to->overdue].due_us < before_us)
		to->overdue++;
	if (to->overdue > 0) {
		to->overdue_us = to->now_us - list->items[0].due_us;
		snprintf(to->overdue_id, sizeof(to->overdue_id), "%s",
			 list->items[0].id);
		find_why(stats, &list->items[0], to);
	}
	schedules_list_free(list);
	return 0;
}

/* --- too far away ------------------------------------------------------ */

/* What its rule allows; 0 if its next run is not further away. */
static int64_t
allowed(const struct schedule *s, struct tz_set *zones, int64_t now_us)
{
	const int64_t after_us =
	    s->updated_us > now_us && s->updated_us <= now_us + PLAN_EDIT_US
		? s->updated_us
		: now_us;
	struct rule rule;
	int64_t fire_us;

	if (s->next_run_us <= after_us ||
	    rule_read(s, zones, &rule, NULL, NULL) != 0)
		return 0;
	fire_us = rule_next(&rule, after_us);
	return fire_us != 0 && fire_us < s->next_run_us ? fire_us : 0;
}

/* A next run that was made already, by a clock that was ahead a little, is no
 * complaint: what is due last by more than a day is. */
static int
check_far(struct schedules *db, struct schedules_check *to, struct err *err)
{
	const struct schedules_filter filter = {.last_due = true,
						.limit = SCHEDULES_CHECK_MAX};
	struct tz_set *zones = tz_set_new(NULL, err);
	struct schedules_list *list;
	const struct schedule *s;
	int64_t near_us;
	size_t i;

	if (zones == NULL)
		return -1;
	if (schedules_list(db, &filter, &list, err) != 0) {
		tz_set_free(zones);
		return -1;
	}
	for (i = 0; i < list->n; i++) {
		s = &list->items[i];
		near_us = allowed(s, zones, to->now_us);
		if (near_us == 0 || s->next_run_us - near_us < HEALTH_FAR_US ||
		    to->far++ > 0)
			continue;
		to->far_us = s->next_run_us;
		to->near_us = near_us;
		snprintf(to->far_id, sizeof(to->far_id), "%s", s->id);
	}
	schedules_list_free(list);
	tz_set_free(zones);
	return 0;
}

int
schedules_check(struct schedules *db, const struct schedules_stats *stats,
		struct schedules_check *ret, struct err *err)
{
	struct schedules_check c = {
	    .now_us = schedules_check_now(stats, clock_wall_us())};
	int64_t now_us;
	size_t i;

	for (i = 0; i < stats->n_schedulers; i++)
		c.alive +=
		    schedules_check_alive(&stats->schedulers[i], c.now_us);
	if (schedules_now(db, &now_us, &c.off_us, err) != 0 ||
	    check_overdue(db, stats, &c, err) != 0 ||
	    check_far(db, &c, err) != 0)
		return -1;
	*ret = c;
	return 0;
}
