/* SPDX-License-Identifier: MIT */
/*
 * The route of the calendar: how many fires there will be, by the hour.
 *
 * It is computed with the scheduler's own rules, for all schedules at once. That
 * has no natural end, as a schedule may fire every second: the manager stops after
 * half a second, and the answer says whether all schedules are in it.
 */
#include "manager/schedules.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/web.h"

/* In UTC: the page moves the hours into the zone of its reader. */
static int
run_calendar(struct web_call *call, struct err *err)
{
	struct schedules *db = web_schedules(call, err);
	json_t *calendar;

	if (db == NULL)
		return -1;
	calendar =
	    schedule_calendar(db, web_time_us(call, "from", clock_wall_us()),
			      (int)web_int(call, "days", 7), 0, err);
	return calendar != NULL ? web_answer(call, calendar, err) : -1;
}

static const struct web_param calendar_params[] = {
    {.name = "from",
     .type = WEB_TIME,
     .in = WEB_QUERY,
     .help = "the first hour; that of now by default"},
    {.name = "days",
     .type = WEB_INT,
     .in = WEB_QUERY,
     .min = 1,
     .max = 31,
     .help = "how many days; 7 by default"},
    {.name = NULL}};

const struct web_route web_calendar_routes[] = {
    {HTTP_GET, "/api/v1/calendar", WEB_VIEWER, 0, calendar_params, run_calendar,
     "Counts the fires of all schedules by the hour. Takes half a second at "
     "most: \"complete\" tells whether all are in.",
     "{from, days, tz, complete, looked_at, hours: [{at, count, schedules: "
     "[{id, count}], others}]}"},
    WEB_ROUTES_END};
