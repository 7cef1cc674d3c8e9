/* SPDX-License-Identifier: MIT */
/* The next fire: the agreed cases of vectors.tsv, and the ends of time. */
#include <stdio.h>
#include <string.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

#define VECTORS "tests/cron/vectors.tsv"
#define N_VECTORS 40
#define US_PER_S INT64_C(1000000)

enum column { ID, TEXT, ZONE, AFTER, NEXT, NOTE, COLUMNS };

static const char *const fault_names[] = {
#define X(code, text) [CRON_##code] = #code,
    CRON_FAULTS(X)
#undef X
};

/* What comes of a case, as the table writes it. */
static void
outcome(char *const column[COLUMNS], char ret[64])
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	const struct tz *zone = tz_find(set, slice_of(column[ZONE]), &err);
	char text[CLOCK_TEXT_SIZE];
	struct cron_fault fault;
	struct cron cron;
	int64_t after_us, next_us;

	ck_assert_msg(zone != NULL, "%s", err.msg);
	ck_assert_int_eq(clock_parse(column[AFTER], &after_us, &err), 0);
	if (cron_parse(column[TEXT], NULL, &cron, &fault, &err) != 0) {
		snprintf(ret, 64, "ERR:%s", fault_names[fault.code]);
	} else if (!cron_next(&cron, zone, after_us, &next_us)) {
		snprintf(ret, 64, "NEVER");
	} else {
		ck_assert_int_eq(next_us % US_PER_S, 0);
		clock_format(next_us, text);
		snprintf(ret, 64, "%.19sZ", text);
	}
	tz_set_free(set);
}

START_TEST(the_agreed_cases_come_out_as_agreed)
{
	FILE *file = fopen(VECTORS, "re");
	char line[512], got[64];
	char *column[COLUMNS], *p;
	int n = 0, i;

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	for (; fgets(line, sizeof(line), file) != NULL; n++) {
		for (p = line, i = 0; i < COLUMNS; i++)
			column[i] = strsep(&p, "\t\n");
		outcome(column, got);
		ck_assert_msg(strcmp(got, column[NEXT]) == 0,
			      "case %s, \"%s\" in %s after %s: %s is not %s",
			      column[ID], column[TEXT], column[ZONE],
			      column[AFTER], got, column[NEXT]);
	}
	fclose(file);
	ck_assert_int_eq(n, N_VECTORS);
}
END_TEST

static int64_t
next_s(const char *text, const struct tz *zone, int64_t after_us)
{
	struct err err = ERR_INIT;
	struct cron cron;
	int64_t next_us;

	ck_assert_msg(cron_parse(text, NULL, &cron, NULL, &err) == 0, "%s",
		      err.msg);
	if (!cron_next(&cron, zone, after_us, &next_us))
		return -1;
	return next_us / US_PER_S;
}

START_TEST(a_fire_is_later_than_the_moment_by_a_microsecond_at_least)
{
	const struct tz *utc = tz_utc();

	ck_assert_int_eq(next_s("* * * * *", utc, 60 * US_PER_S), 120);
	ck_assert_int_eq(next_s("* * * * *", utc, 60 * US_PER_S - 1), 60);
	ck_assert_int_eq(next_s("* * * * *", utc, 60 * US_PER_S + 1), 120);
	ck_assert_int_eq(next_s("* * * * *", utc, 0), 60);
	ck_assert_int_eq(next_s("* * * * *", utc, -1), 0);
	ck_assert_int_eq(next_s("0 0 * * *", utc, -1), 0);
}
END_TEST

START_TEST(time_begins_in_1970_and_ends_with_2199)
{
	const int64_t end_s = INT64_C(7258118400);
	const struct tz *utc = tz_utc();

	ck_assert_int_eq(next_s("* * * * *", utc, INT64_MIN), 0);
	ck_assert_int_eq(next_s("0 0 * * *", utc, INT64_MIN), 0);
	ck_assert_int_eq(next_s("0 0 1 1 *", utc, (end_s - 1) * US_PER_S), -1);
	ck_assert_int_eq(next_s("* * * * * *", utc, (end_s - 2) * US_PER_S),
			 end_s - 1);
	ck_assert_int_eq(next_s("* * * * * *", utc, (end_s - 1) * US_PER_S),
			 -1);
	ck_assert_int_eq(next_s("* * * * *", utc, INT64_MAX), -1);
	ck_assert_int_eq(next_s("@every 1s", utc, INT64_MAX), -1);
	ck_assert_int_eq(next_s("@every 1s", utc, (end_s - 1) * US_PER_S), -1);
}
END_TEST

START_TEST(time_ends_with_the_local_year_2199)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	const struct tz *zone = tz_find(set, SLICE("America/New_York"), &err);
	const int64_t end_s = INT64_C(7258118400) + 5 * 3600;

	ck_assert_msg(zone != NULL, "%s", err.msg);
	ck_assert_int_eq(next_s("* * * * *", zone, (end_s - 61) * US_PER_S),
			 end_s - 60);
	ck_assert_int_eq(next_s("* * * * *", zone, (end_s - 60) * US_PER_S),
			 -1);
	ck_assert_int_eq(next_s("59 23 * * *", zone, (end_s - 61) * US_PER_S),
			 end_s - 60);
	ck_assert_int_eq(next_s("59 23 * * *", zone, (end_s - 60) * US_PER_S),
			 -1);
	tz_set_free(set);
}
END_TEST

START_TEST(the_29th_of_february_leaves_2100_out)
{
	const int64_t leap_2096 = INT64_C(3981312000);
	const int64_t leap_2104 = INT64_C(4233686400);

	ck_assert_int_eq(next_s("0 0 29 2 *", tz_utc(), leap_2096 * US_PER_S),
			 leap_2104);
}
END_TEST

START_TEST(all_that_is_due_in_a_gap_is_due_once_behind_it)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	const struct tz *zone = tz_find(set, SLICE("Europe/Berlin"), &err);
	const char *text = "0,15,30 2,3 * * *";
	int64_t s = 1774746000; /* 2026-03-29T01:00:00Z: 02:00 is 03:00 */

	ck_assert_msg(zone != NULL, "%s", err.msg);
	ck_assert_int_eq(next_s(text, zone, (s - 1) * US_PER_S), s);
	ck_assert_int_eq(next_s(text, zone, s * US_PER_S), s + 15 * 60);
	tz_set_free(set);
}
END_TEST

SUITE("cron-next")
{
	TEST(the_agreed_cases_come_out_as_agreed);
	TEST(a_fire_is_later_than_the_moment_by_a_microsecond_at_least);
	TEST(time_begins_in_1970_and_ends_with_2199);
	TEST(time_ends_with_the_local_year_2199);
	TEST(the_29th_of_february_leaves_2100_out);
	TEST(all_that_is_due_in_a_gap_is_due_once_behind_it);
}
