/* SPDX-License-Identifier: MIT */
/* cron_next() against the slow, obvious one: random expressions, in all zones,
 * after random moments, many of them close to a change of the clocks. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cron/cron.h"
#include "cron/expression.h"
#include "cron/naive.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/err.h"

#define SEED UINT64_C(20261123)
#define TRIPLES 110000
#define STEPS 2000
#define TO_S INT64_C(4102444800) /* 2100-01-01 */
#define US_PER_S INT64_C(1000000)

static int64_t
draw_moment(const struct tz *zone, uint64_t *state)
{
	int64_t moment = ((int64_t)draw(state, 1U << 31) << 1 | draw(state, 2));
	int64_t change;

	moment %= TO_S;
	change = tz_transition_s(zone, moment);
	if (draw(state, 2) || change > TO_S)
		return moment;
	/* From two days before to four hours after, on the minute or not. */
	moment = change - 2 * 86400 + draw(state, 2 * 86400 + 4 * 3600);
	return draw(state, 2) ? moment : moment / 60 * 60;
}

/* Returns whether the slow one came to an end. */
static bool
compare(const struct tz *zone, uint64_t *state)
{
	struct cron_options options = {.match_both = !draw(state, 8)};
	struct err err = ERR_INIT;
	struct expression e;
	struct cron cron;
	int64_t moment, next_us = INT64_MAX, next_s;
	bool found;

	expression_draw(&e, state);
	moment = draw_moment(zone, state);
	if (cron_parse(e.text, &options, &cron, NULL, &err) != 0)
		ck_abort_msg("\"%s\": %s", e.text, err.msg);
	e.both = e.both || options.match_both;
	cron_next(&cron, zone, moment * US_PER_S, &next_us);
	found = naive_next(&e, moment, STEPS, &next_s);
	if (found ? next_us != next_s * US_PER_S : next_us < next_s * US_PER_S)
		ck_abort_msg("seed %llu: \"%s\"%s in %s after %lld: %lld is "
			     "not %s%lld",
			     (unsigned long long)SEED, e.text,
			     options.match_both ? " (both)" : "", tz_name(zone),
			     (long long)moment, (long long)(next_us / US_PER_S),
			     found ? "" : "after ", (long long)next_s);
	return found;
}

/* In spans that begin and end anywhere, some of them around a change. */
static void
compare_count(const struct tz *zone, uint64_t *state)
{
	const int64_t from = draw_moment(zone, state) * US_PER_S;
	const int64_t to = from + draw(state, 8 * 3600) * US_PER_S;
	struct err err = ERR_INIT;
	int64_t at = from - 1, n = 0;
	struct expression e;
	struct cron cron;

	expression_draw(&e, state);
	ck_assert_int_eq(cron_parse(e.text, NULL, &cron, NULL, &err), 0);
	while (cron_next(&cron, zone, at, &at) && at < to)
		n++;
	ck_assert_msg(cron_count(&cron, zone, from, to) == n,
		      "\"%s\" in %s from %lld to %lld: %lld, not %lld", e.text,
		      tz_name(zone), (long long)(from / US_PER_S),
		      (long long)(to / US_PER_S),
		      (long long)cron_count(&cron, zone, from, to),
		      (long long)n);
}

/* All that the system has, whatever their rules are: those who are compared read
 * the same files. */
static struct tz_set *
system_zones(void)
{
	unsetenv("TZDIR");
	return tz_set_new(NULL, NULL);
}

START_TEST(fires_are_counted_as_they_come_one_by_one)
{
	struct err err = ERR_INIT;
	struct tz_set *set = system_zones();
	struct cron every;
	struct tz_names names;
	const struct tz *zone;
	uint64_t state = SEED + 1;
	int64_t at, n, from, to;
	size_t i;
	int k;

	ck_assert_msg(tz_names_read(NULL, &names, &err) == 0, "%s", err.msg);
	for (i = 0; i < names.count; i++) {
		zone = tz_find(set, slice_of(names.names[i]), &err);
		ck_assert_msg(zone != NULL, "%s", err.msg);
		for (k = 0; k < 40; k++)
			compare_count(zone, &state);
	}
	for (k = 0; k < 1000; k++) {
		ck_assert_int_eq(
		    cron_interval((1 + draw(&state, 5000)) * US_PER_S,
				  draw(&state, 9000) * US_PER_S, &every, &err),
		    0);
		from = draw(&state, 20000) * US_PER_S + draw(&state, 2);
		to = from + draw(&state, 20000) * US_PER_S;
		for (n = 0, at = from - 1;
		     cron_next(&every, tz_utc(), at, &at) && at < to;)
			n++;
		ck_assert_int_eq(cron_count(&every, tz_utc(), from, to), n);
	}
	tz_names_done(&names);
	tz_set_free(set);
}
END_TEST

START_TEST(random_expressions_fire_when_the_slow_way_says)
{
	struct err err = ERR_INIT;
	struct tz_set *set = system_zones();
	struct tz_names names;
	const struct tz *zone;
	uint64_t state = SEED;
	size_t n = 0, found = 0, i;

	ck_assert_msg(tz_names_read(NULL, &names, &err) == 0, "%s", err.msg);
	for (i = 0; i < names.count; i++) {
		zone = tz_find(set, slice_of(names.names[i]), &err);
		ck_assert_msg(zone != NULL, "%s", err.msg);
		ck_assert_int_eq(setenv("TZ", names.names[i], 1), 0);
		tzset();
		for (; n < TRIPLES * (i + 1) / names.count; n++)
			found += compare(zone, &state);
	}
	printf("cron-differential: seed %llu, %zu triples, %zu with a fire "
	       "found\n",
	       (unsigned long long)SEED, n, found);
	ck_assert_uint_ge(found, 100000);
	tz_names_done(&names);
	tz_set_free(set);
}
END_TEST

SUITE("cron-differential")
{
	SUITE_TIMEOUT(120);
	TEST(random_expressions_fire_when_the_slow_way_says);
	TEST(fires_are_counted_as_they_come_one_by_one);
}
