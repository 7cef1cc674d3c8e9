/* SPDX-License-Identifier: MIT */
/* Measures: the calls, and what is the same for every store. */
#include "store/measures.h"

#include "store/results.h"

bool
measure_what_valid(int64_t what)
{
	return (what >= MEASURE_SUCCEEDED && what < MEASURE_NUMBERS) ||
	       (what >= MEASURE_WAIT && what < MEASURE_WAIT + BUCKETS) ||
	       (what >= MEASURE_RUN && what < MEASURE_RUN + BUCKETS);
}

bool
measure_what_of_attempt(int64_t what)
{
	return what != MEASURE_DEAD_BEYOND && what != MEASURE_DEAD_EXPIRED;
}

/* Rounded down also before 1970, where a clock may be set to: division rounds
 * towards 0. */
int64_t
measure_begin(enum measure_step step, int64_t at_s)
{
	int64_t rest;

	if (step == MEASURE_TOTAL)
		return 0;
	rest = at_s % (int64_t)step;
	return at_s - (rest < 0 ? rest + (int64_t)step : rest);
}

void
results_measure(struct results *r, int64_t at_s, const struct measure *measures,
		size_t n, results_measured_fn *on_done, void *arg)
{
	r->ops->measure(r, at_s, measures, n, on_done, arg);
}

void
results_measures(struct results *r, enum measure_step step, int64_t at_s,
		 results_measures_fn *on_measures, void *arg)
{
	r->ops->measures(r, step, measure_begin(step, at_s), on_measures, arg);
}
