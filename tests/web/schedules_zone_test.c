/* SPDX-License-Identifier: MIT */
/* The time zones of schedules that are made over the API. */
#include <stdio.h>
#include <string.h>

#include "web/desk.h"

static const char *
zone_said(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

#define BERLIN "Europe/Berlin"
static const char *const in_berlin[] = {"scheduler.timezone=" BERLIN, NULL};

START_TEST(a_schedule_without_a_zone_gets_that_of_the_configuration)
{
	static const struct {
		const char *rule, *tz;
	} rows[] = {
	    {"\"cron\",\"rule\":\"0 9 * * *\"", BERLIN},
	    {"\"cron\",\"rule\":\"0 9 * * *\",\"tz\":\"\"", BERLIN},
	    {"\"cron\",\"rule\":\"0 9 * * *\",\"tz\":\"UTC\"", "UTC"},
	    {"\"cron\",\"rule\":\"CRON_TZ=Asia/Tokyo 0 9 * * *\"", "UTC"},
	    {"\"interval\",\"rule\":\"1h\"", "UTC"},
	    {"\"once\",\"rule\":\"2096-12-24 18:00\"", BERLIN},
	};
	struct desk *d = desk_open_with((enum desk_store)_i, in_berlin);
	char body[256];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(body, sizeof(body),
			 "{\"task\":\"add\",\"force\":true,\"id\":\"%zu\","
			 "\"args\":[%zu],\"type\":%s}",
			 i, i, rows[i].rule);
		ck_assert_uint_eq(
		    desk_ask(d, "POST", "/api/v1/schedules", body), 201);
		ck_assert_msg(strcmp(zone_said(d, "tz"), rows[i].tz) == 0,
			      "%s: %s", rows[i].rule, zone_said(d, "tz"));
	}
	/* That clock shows 18:00 then. */
	ck_assert_str_eq(zone_said(d, "rule"),
			 "2096-12-24T17:00:00.000000+00:00");
	desk_close(d);
}
END_TEST

/* As if the schedule had been made so. */
START_TEST(a_preview_and_an_edit_mean_the_same_zone)
{
	struct desk *d = desk_open_with((enum desk_store)_i, in_berlin);

	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/preview",
		     "{\"type\":\"cron\",\"rule\":\"0 9 * * *\"}"),
	    200);
	ck_assert_str_eq(zone_said(d, "tz"), BERLIN);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     "{\"task\":\"add\",\"force\":true,\"id\":\"a\","
		     "\"type\":\"interval\",\"rule\":\"1h\"}"),
	    201);
	desk_header(d, "If-Match", "*");
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/a",
				   "{\"task\":\"add\",\"force\":true,"
				   "\"type\":\"cron\",\"rule\":\"0 9 * * *\"}"),
			  200);
	ck_assert_str_eq(zone_said(d, "tz"), BERLIN);
	desk_close(d);
}
END_TEST

START_TEST(a_default_zone_that_there_is_not_is_said)
{
	static const char *const settings[] = {
	    "scheduler.timezone=Europe/Berln", NULL};
	struct desk *d = desk_open_with((enum desk_store)_i, settings);

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules",
				   "{\"task\":\"add\",\"force\":true,"
				   "\"type\":\"cron\",\"rule\":\"0 9 * * *\"}"),
			  422);
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "[scheduler] timezone"));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "Europe/Berln"));
	/* Where one is given, it does not matter. */
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     "{\"task\":\"add\",\"force\":true,\"tz\":\"Asia/Tokyo\","
		     "\"type\":\"cron\",\"rule\":\"0 9 * * *\"}"),
	    201);
	desk_close(d);
}
END_TEST

SUITE("web-schedules-zone")
{
	TEST_LOOP(a_schedule_without_a_zone_gets_that_of_the_configuration, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_preview_and_an_edit_mean_the_same_zone, 0, DESK_N_STORES);
	TEST_LOOP(a_default_zone_that_there_is_not_is_said, 0, DESK_N_STORES);
}
