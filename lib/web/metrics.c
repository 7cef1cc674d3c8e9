/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: what Prometheus reads. Never a worker and a task in one series,
 * and no more names of tasks than the series of the backend have (500), so that
 * the text stays of a size that a monitor can bear.
 *
 * What is out of reach is left out, and flowrra_up says so: a monitor has to tell
 * a broker that is away from a flowrra-web that is.
 */
#include <string.h>

#include "client/client.h"
#include "flowrra/client.h"
#include "manager/queues.h"
#include "manager/series.h"
#include "manager/server.h"
#include "manager/workers.h"
#include "schedules/health.h"
#include "schedules/schedules.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/metrics_families.h"
#include "web/metrics_text.h"
#include "web/web.h"

#define OPENMETRICS_TYPE                                                       \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* --- all of it --------------------------------------------------------- */

/* What one look brings; what is out of reach is missing. */
struct look {
	json_t *queues, *workers;
	struct series_total *totals;
	size_t n_totals;
	struct schedules_stats *schedules;
	double rtt_s; /* negative: the broker does not answer */
	bool backend;
};

/* One look at each store; what fails is left out, and the next look tries
 * again. */
static void
metrics_look(struct web_call *call, struct look *look)
{
	struct flowrra_client *client = web_client(call);
	struct series *series = figures_series(call->shared->figures);
	struct schedules *schedules;
	struct err err;

	*look = (struct look){.rtt_s = server_broker_rtt(client)};
	if (look->rtt_s >= 0) {
		look->queues = queues_and_workers(client, &look->workers, &err);
	}
	/* Where both are one store, one wait for it is enough. */
	if (look->rtt_s >= 0 || !client->one_store)
		look->backend = series_totals(series, client, &look->totals,
					      &look->n_totals, &err) == 0;
	if ((schedules = web_schedules(call, &err)) != NULL &&
	    schedules_stats(schedules, NULL, clock_wall_us(), &look->schedules,
			    &err) != 0)
		look->schedules = NULL;
}

/* All of it may be NULL. */
static void
look_done(struct look *look)
{
	json_decref(look->queues);
	json_decref(look->workers);
	series_totals_free(look->totals, look->n_totals);
	if (look->schedules != NULL)
		schedules_stats_free(look->schedules);
}

/* First, so that it is there whatever else is not. */
static void
write_up(struct metrics_text *m, const struct look *look)
{
	metrics_family(m, METRICS_GAUGE, "flowrra_up", NULL,
		       "Whether a component answers.");
	metrics_sample(m, METRICS_LABELS({"component", "broker"}),
		       look->rtt_s >= 0);
	metrics_sample(m, METRICS_LABELS({"component", "backend"}),
		       look->backend);
	metrics_sample(m, METRICS_LABELS({"component", "scheduler_database"}),
		       look->schedules != NULL);
	if (look->rtt_s < 0)
		return;
	metrics_family(m, METRICS_GAUGE, "flowrra_broker_rtt_seconds",
		       "seconds", "How long the broker took to answer.");
	metrics_sample(m, METRICS_NO_LABELS, look->rtt_s);
}

/* In the order in which people read it. */
static void
metrics_make(struct web_call *call, struct metrics_text *m)
{
	struct look look;

	metrics_look(call, &look);
	write_up(m, &look);
	if (look.queues != NULL)
		metrics_write_queues(m, look.queues);
	if (look.workers != NULL)
		metrics_write_workers(m, look.workers);
	if (look.backend)
		metrics_write_totals(m, look.totals, look.n_totals);
	if (look.schedules != NULL)
		metrics_write_schedules(m, look.schedules);
	figures_write(call->shared->figures, m);
	metrics_end(m);
	look_done(&look);
}

/* A client that asks for neither gets the newer one, which names its counters as the
 * manual does. */
static bool
wants_text(const struct web_call *call)
{
	const char *accept = web_header(call, "Accept");

	return accept != NULL && strstr(accept, "openmetrics") == NULL &&
	       strstr(accept, "text/plain") != NULL;
}

/* Several scrapers cost the stores one look: the first makes the text with the lock
 * held, the others wait for it. */
static int
get_metrics(struct web_call *call, struct err *err)
{
	struct figures_metrics *kept = figures_metrics(call->shared->figures);
	struct metrics_text m = {.openmetrics = &kept->openmetrics,
				 .text = &kept->text};
	const bool text = wants_text(call);
	const struct buf *made = text ? &kept->text : &kept->openmetrics;
	struct buf copy = BUF_INIT;

	pthread_mutex_lock(&kept->lock);
	if (kept->made_ms == 0 ||
	    clock_mono_ms() - kept->made_ms >= METRICS_LIFE_MS) {
		buf_reset(&kept->openmetrics);
		buf_reset(&kept->text);
		metrics_make(call, &m);
		kept->made_ms = clock_mono_ms();
	}
	buf_add(&copy, made->data, made->len);
	copy.failed |= made->failed;
	pthread_mutex_unlock(&kept->lock);
	if (copy.failed) {
		buf_done(&copy);
		return err_nomem(err);
	}
	return web_answer_bytes(call, text ? TEXT_TYPE : OPENMETRICS_TYPE,
				&copy);
}

const struct web_route web_metrics_routes[] = {
    {.method = HTTP_GET,
     .path = "/metrics",
     .role = WEB_METRICS,
     .run = get_metrics,
     .summary = "Metrics for Prometheus.",
     .answer = "OpenMetrics text, at most five seconds old; the older text "
	       "format if only text/plain is accepted."},
    WEB_ROUTES_END};
