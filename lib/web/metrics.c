/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: what Prometheus reads, of all stores (manager/metrics.h) and of this
 * daemon.
 */
#include <string.h>

#include "manager/metrics.h"
#include "metrics/text.h"
#include "util/clock.h"
#include "util/err.h"
#include "web/call.h"
#include "web/figures.h"
#include "web/web.h"

#define OPENMETRICS_TYPE                                                       \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* In the order in which people read it: first of the stores, then of this daemon. */
static void
metrics_make(struct web_call *call, struct metrics_text *m)
{
	struct err err;
	const struct metrics_stores stores = {
	    .client = web_client(call),
	    .series = figures_series(call->shared->figures),
	    .schedules = web_schedules(call, &err)};

	metrics_write_stores(m, &stores);
	figures_write(call->shared->figures, m);
	metrics_end(m);
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
