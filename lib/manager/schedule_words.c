/* SPDX-License-Identifier: MIT */
/* When a schedule fires, in words. Each function returns -1 for a rule that
 * cannot be read, without saying why: the list shows the rule itself then, and
 * `fault` has the reason. */
#include <stdio.h>
#include <time.h>

#include "cron/cron.h"
#include "manager/schedule.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)

/* "once on 2026-11-23 at 13:00:00 UTC"; a fraction only if there is one. */
static int
once_words(const struct schedule *s, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t us;

	if (clock_parse(s->rule, &us, NULL) != 0)
		return -1;
	clock_format(us, text);
	buf_addf(out, "once on %.10s at %.8s", text, text + 11);
	if (us % US_PER_S != 0)
		buf_addf(out, "%.7s", text + 19);
	buf_adds(out, " UTC");
	return 0;
}

/* By the words of cron's @every, which means the same. */
static int
interval_words(const struct schedule *s, struct buf *out)
{
	struct cron cron;
	int64_t period_us;

	if (clock_parse_duration(s->rule, &period_us, NULL) != 0 ||
	    cron_interval(period_us, 0, &cron, NULL) != 0)
		return -1;
	cron_words(&cron, out);
	return 0;
}

/* As beat/rule.c reads it, but without the zone's data. */
static int
expression_words(const struct schedule *s, struct buf *out)
{
	const struct cron_options options = {
	    .seed = cron_seed(slice_of(s->id != NULL ? s->id : "")),
	    .match_both = s->day_match == SCHEDULE_DAYS_AND};
	struct slice zone = cron_zone(s->rule);
	struct cron cron;

	if (cron_parse(s->rule, &options, &cron, NULL, NULL) != 0)
		return -1;
	if (zone.p == NULL && s->tz != NULL)
		zone = slice_of(s->tz);
	cron_words(&cron, out);
	/* Periods have no zone. */
	if (zone.len > 0 && !slice_eq(zone, SLICE("UTC")) &&
	    cron.period_us == 0)
		buf_addf(out, ", %.*s time", (int)zone.len, zone.p);
	return 0;
}

void
schedule_words(const struct schedule *s, struct buf *out)
{
	static int (*const words[])(const struct schedule *, struct buf *) = {
	    [SCHEDULE_CRON] = expression_words,
	    [SCHEDULE_INTERVAL] = interval_words,
	    [SCHEDULE_ONCE] = once_words,
	};

	if (words[s->type](s, out) != 0)
		buf_adds(out, s->rule);
}
