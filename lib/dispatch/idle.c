/* SPDX-License-Identifier: MIT */
/*
 * A worker that was started for some tasks ends when there are none ([worker]
 * idle_exit).
 *
 * Who submits a task starts a worker if none is there. So that neither relies on
 * the other, this one first says that it leaves (on_leaving), and then looks for
 * the last time: a task that was queued before is seen here, and who queues one
 * later sees that this worker leaves, and waits for its end.
 */
#include <inttypes.h>
#include <string.h>

#include "dispatch/state.h"
#include "store/admin.h"
#include "util/clock.h"
#include "util/log.h"

static bool
idle_serves(const struct dispatch *d, const char *queue)
{
	unsigned int i;

	for (i = 0; i < d->n_queues; i++)
		if (strcmp(d->queues[i].name, queue) == 0)
			return true;
	return false;
}

static void
idle_stay(struct dispatch *d)
{
	d->idle.looking = false;
	d->idle.since_ms = clock_mono_ms();
	d->opt.on_leaving(false, d->opt.arg);
}

static void
on_idle_queues(const struct queue_stats *queues, size_t n,
	       const struct err *err, void *arg)
{
	struct dispatch *d = arg;
	int64_t left = 0;
	size_t i;

	for (i = 0; i < n && err == NULL; i++)
		if (idle_serves(d, queues[i].name))
			left += queues[i].waiting + queues[i].delayed +
				queues[i].in_flight;
	if (err != NULL || left > 0 || d->n_jobs > 0 ||
	    dispatch_is_stopping(d)) {
		idle_stay(d);
		return;
	}
	log_notice("nothing to do any more: ending ([worker] idle_exit)");
	d->opt.on_stop_command(d->opt.arg);
}

static bool
idle_is_busy(const struct dispatch *d)
{
	return d->n_jobs > 0 || broker_unsettled(d->broker) > 0 ||
	       !broker_is_up(d->broker) || pool_handlers(d->pool) == NULL;
}

void
idle_turn(struct dispatch *d)
{
	const int64_t patience_ms = d->conf->worker.idle_exit / 1000;

	if (idle_is_busy(d) || d->idle.since_ms == 0) {
		d->idle.since_ms = clock_mono_ms();
		return;
	}
	if (patience_ms == 0 || d->opt.on_leaving == NULL || d->idle.looking ||
	    dispatch_is_stopping(d) ||
	    clock_mono_ms() - d->idle.since_ms < patience_ms)
		return;
	d->idle.looking = true;
	d->opt.on_leaving(true, d->opt.arg);
	broker_queues(d->broker, (struct slice){"", 0}, on_idle_queues, d);
}
