/* SPDX-License-Identifier: MIT */
/*
 * Figures that all calls share: the series (manager/series.h), answers that cost
 * much, counts of replies, and the text of /metrics, which is made at most every
 * five seconds. Any thread may use it.
 */
#ifndef WEB_FIGURES_H
#define WEB_FIGURES_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "web/kept.h"

struct err;
struct series;
struct web_figures;
struct web_route;

/* NULL with *err. */
struct web_figures *figures_new(struct err *err);
void figures_free(struct web_figures *figures);

struct series *figures_series(struct web_figures *figures);

/* What the overview and the lists of queues are asked for each second. */
enum figures_kept {
	FIGURES_SPARKS,	  /* queues.c */
	FIGURES_FAILURES, /* overview.c */
	FIGURES_FINDINGS,
	FIGURES_N_KEPT
};
struct kept *figures_kept(struct web_figures *figures, enum figures_kept which);

/* A request was replied to; `route` is NULL for a page, a file, or an unknown
 * path. */
void figures_count(struct web_figures *figures, const struct web_route *route,
		   unsigned int status);
/* The number of streams (events, ws) that are open. */
void figures_streams(struct web_figures *figures, int64_t n);

/* Adds flowrra_web_requests and flowrra_web_streams. */
struct metrics_text;
void figures_write(struct web_figures *figures, struct metrics_text *out);

/*
 * Both forms of /metrics, kept for METRICS_LIFE_MS. While one thread makes them,
 * others wait for it.
 */
#define METRICS_LIFE_MS 5000
struct figures_metrics {
	pthread_mutex_t lock;
	int64_t made_ms; /* monotonic; 0: never */
	struct buf openmetrics, text;
};
struct figures_metrics *figures_metrics(struct web_figures *figures);

#endif
