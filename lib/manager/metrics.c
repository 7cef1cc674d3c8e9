/* SPDX-License-Identifier: MIT */
/*
 * One look at each store, and what is written of it.
 *
 * Never a worker and a task in one series, and no more names of tasks than
 * SERIES_TASKS_MAX, so that the text stays of a size that a monitor can bear.
 */
#include "manager/metrics.h"

#include <jansson.h>

#include "client/client.h"
#include "manager/flows.h"
#include "manager/metrics_families.h"
#include "manager/queues.h"
#include "manager/series.h"
#include "manager/server.h"
#include "metrics/metrics.h"
#include "metrics/text.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/err.h"

/* What one look brings; what is out of reach is missing. */
struct look {
	json_t *queues, *workers, *flows;
	struct series_total *totals;
	size_t n_totals;
	struct schedules_stats *schedules;
	double rtt_s; /* negative: the broker does not answer */
	bool backend;
	bool no_schedules;
};

/* One look at each store; what fails is left out, and the next look tries
 * again. */
static void
metrics_look(const struct metrics_stores *stores, struct look *look)
{
	struct flowrra_client *client = stores->client;
	struct err err;

	*look = (struct look){.rtt_s = server_broker_rtt(client)};
	if (look->rtt_s >= 0) {
		look->queues = queues_and_workers(client, &look->workers, &err);
		look->flows = flows_list(client, METRICS_FLOWS_MAX, NULL, &err);
	}
	/* Where both are one store, one wait for it is enough. */
	if (look->rtt_s >= 0 || !client->one_store)
		look->backend =
		    series_totals(stores->series, client, &look->totals,
				  &look->n_totals, &err) == 0;
	look->no_schedules = stores->no_schedules;
	if (stores->schedules == NULL ||
	    schedules_stats(stores->schedules, NULL, clock_wall_us(),
			    &look->schedules, &err) == 0)
		return;
	/* A database without tables is as good as an empty one. */
	look->no_schedules = err.code == ERR_NOT_FOUND;
	look->schedules = NULL;
}

/* All of it may be NULL. */
static void
look_done(struct look *look)
{
	json_decref(look->queues);
	json_decref(look->workers);
	json_decref(look->flows);
	series_totals_free(look->totals, look->n_totals);
	if (look->schedules != NULL)
		schedules_stats_free(look->schedules);
}

/* First, so that it is there whatever else is not. */
static void
write_up(struct metrics_text *m, const struct look *look)
{
	metrics_begin(m, METRIC_UP);
	metrics_sample(m, METRICS_LABELS({"component", "broker"}),
		       look->rtt_s >= 0);
	metrics_sample(m, METRICS_LABELS({"component", "backend"}),
		       look->backend);
	metrics_sample(m, METRICS_LABELS({"component", "scheduler_database"}),
		       look->schedules != NULL || look->no_schedules);
	if (look->rtt_s < 0)
		return;
	metrics_begin(m, METRIC_BROKER_RTT);
	metrics_sample(m, METRICS_NO_LABELS, look->rtt_s);
}

/* In the order in which people read it. */
void
metrics_write_stores(struct metrics_text *m,
		     const struct metrics_stores *stores)
{
	static const struct schedules_stats none = {.schedules = 0};
	struct look look;

	metrics_look(stores, &look);
	write_up(m, &look);
	if (look.queues != NULL)
		metrics_write_queues(m, look.queues);
	if (look.workers != NULL)
		metrics_write_workers(m, look.workers);
	if (look.backend)
		metrics_write_totals(m, look.totals, look.n_totals);
	if (look.flows != NULL)
		metrics_write_flows(m, look.flows);
	if (look.schedules != NULL || look.no_schedules)
		metrics_write_schedules(
		    m, look.schedules != NULL ? look.schedules : &none);
	look_done(&look);
}
