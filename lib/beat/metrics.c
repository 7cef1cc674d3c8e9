/* SPDX-License-Identifier: MIT */
/* What a monitor sees of this scheduler. Figures that the database has of all of
 * them are flowrra-web's. */
#include "beat/state.h"

#include "metrics/text.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/conf.h"

static void
write_number(struct metrics_text *m, enum metric_id id, double value)
{
	metrics_begin(m, id);
	metrics_sample(m, METRICS_NO_LABELS, value);
}

/* The database is asked when there is something to do: that is what is known. */
static void
write_reach(const struct beat *b, struct metrics_text *m)
{
	metrics_begin(m, METRIC_UP);
	metrics_sample(m, METRICS_LABELS({"component", "broker"}),
		       broker_is_up(b->broker));
	metrics_sample(m, METRICS_LABELS({"component", "backend"}),
		       results_is_up(b->results));
	metrics_sample(m, METRICS_LABELS({"component", "scheduler_database"}),
		       b->db_reach == REACH_UP);
}

void
beat_write_metrics(const struct beat *b, struct metrics_text *m)
{
	const bool claims = b->opt.conf->scheduler.enabled &&
			    b->db_reach == REACH_UP && work_may_claim(b) &&
			    b->clock.off_us == 0 && b->phase == BEAT_RUNNING;

	write_reach(b, m);
	write_number(m, METRIC_FIRES, (double)b->fires);
	write_number(m, METRIC_BEAT_CLAIMS, claims);
	write_number(m, METRIC_BEAT_CLOCK, (double)b->clock.off_us / 1e6);
	/* Of the latest fire: before the first there is none. */
	if (b->fires > 0)
		write_number(m, METRIC_BEAT_LAG, (double)b->lag_us / 1e6);
}
