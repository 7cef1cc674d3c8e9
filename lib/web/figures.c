/* SPDX-License-Identifier: MIT */
/*
 * Figures that all calls share: the series of the backend, answers that are kept
 * for a while, the text of /metrics, and counts of this daemon's requests.
 *
 * Those of requests are counted by the loop and read by the thread that makes
 * /metrics. Each group has a lock of its own, so that nobody waits for a store
 * that somebody else asks.
 */
#include "web/figures.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/series.h"
#include "metrics/text.h"
#include "util/err.h"
#include "web/web.h"

/* Some hundred routes, with a few statuses each. */
#define ROUTES_MAX 1024

/* Requests with one route and one status; NULL: a page or a file. */
struct figures_route {
	const struct web_route *route;
	unsigned int status;
	int64_t n;
};

struct web_figures {
	struct series *series;
	struct kept kept[FIGURES_N_KEPT];
	struct figures_metrics metrics;
	pthread_mutex_t lock; /* of what follows */
	struct figures_route routes[ROUTES_MAX];
	size_t n;
	_Atomic int64_t streams;
};

struct web_figures *
figures_new(struct err *err)
{
	struct web_figures *f = calloc(1, sizeof(*f));
	size_t i;

	if (f == NULL) {
		err_nomem(err);
		return NULL;
	}
	if ((f->series = series_new(err)) == NULL) {
		free(f);
		return NULL;
	}
	for (i = 0; i < FIGURES_N_KEPT; i++)
		kept_init(&f->kept[i]);
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->metrics.lock, NULL);
	return f;
}

void
figures_free(struct web_figures *f)
{
	size_t i;

	if (f == NULL)
		return;
	series_free(f->series);
	for (i = 0; i < FIGURES_N_KEPT; i++)
		kept_done(&f->kept[i]);
	buf_done(&f->metrics.openmetrics);
	buf_done(&f->metrics.text);
	pthread_mutex_destroy(&f->metrics.lock);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct series *
figures_series(struct web_figures *f)
{
	return f->series;
}

/* Each locks for itself (kept.h). */
struct kept *
figures_kept(struct web_figures *f, enum figures_kept which)
{
	return &f->kept[which];
}

/* The lock is held while the text is made: see metrics.c. */
struct figures_metrics *
figures_metrics(struct web_figures *f)
{
	return &f->metrics;
}

/* Those that come often are soon found; beyond the last, nothing is counted. */
void
figures_count(struct web_figures *f, const struct web_route *route,
	      unsigned int status)
{
	size_t i;

	pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->n; i++)
		if (f->routes[i].route == route &&
		    f->routes[i].status == status)
			break;
	if (i == f->n && f->n < ROUTES_MAX)
		f->routes[f->n++] = (struct figures_route){route, status, 0};
	if (i < f->n)
		f->routes[i].n++;
	pthread_mutex_unlock(&f->lock);
}

/* Set by the hub, which knows; read by another thread. */
void
figures_streams(struct web_figures *f, int64_t n)
{
	atomic_store(&f->streams, n);
}

/* Pages and files are one route: each path a series would be one for each name
 * that somebody makes up. */
void
figures_write(struct web_figures *f, struct metrics_text *out)
{
	static const char *const methods[] = {[HTTP_GET] = "GET",
					      [HTTP_POST] = "POST",
					      [HTTP_PUT] = "PUT",
					      [HTTP_DELETE] = "DELETE"};
	char code[16];
	size_t i;

	metrics_begin(out, METRIC_WEB_REQUESTS);
	pthread_mutex_lock(&f->lock);
	for (i = 0; i < f->n; i++) {
		const struct figures_route *r = &f->routes[i];

		snprintf(code, sizeof(code), "%u", r->status);
		metrics_sample(
		    out,
		    METRICS_LABELS(
			{"method",
			 r->route != NULL ? methods[r->route->method] : "GET"},
			{"route", r->route != NULL ? r->route->path : "page"},
			{"code", code}),
		    (double)r->n);
	}
	pthread_mutex_unlock(&f->lock);
	metrics_begin(out, METRIC_WEB_STREAMS);
	metrics_sample(out, METRICS_NO_LABELS,
		       (double)atomic_load(&f->streams));
}
