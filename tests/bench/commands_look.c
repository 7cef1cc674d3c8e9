/* SPDX-License-Identifier: MIT */
/* The operators' calls of commands_world.h. */
#include <stdio.h>
#include <string.h>

#include "commands_world.h"
#include "util/clock.h"

/* --- answers ------------------------------------------------------------- */

static void
look_note_next(struct world *w, struct slice next)
{
	snprintf(w->next, sizeof(w->next), "%.*s", (int)next.len,
		 next.len > 0 ? next.p : "");
}

static void
look_on_value(struct slice value, const struct err *err, void *arg)
{
	world_done(arg, err);
}

static void
look_on_queues(const struct queue_stats *queues, size_t n,
	       const struct err *err, void *arg)
{
	world_done(arg, err);
}

static void
look_on_workers(const struct worker_info *workers, size_t n,
		const struct err *err, void *arg)
{
	world_done(arg, err);
}

static void
look_on_found(const struct queue_found *found, size_t n, const struct err *err,
	      void *arg)
{
	world_done(arg, err);
}

static void
look_on_report(const struct broker_report *report, const struct err *err,
	       void *arg)
{
	world_done(arg, err);
}

static void
look_on_counts(const struct results_counts *counts, const struct err *err,
	       void *arg)
{
	world_done(arg, err);
}

static void
look_on_measures(const struct measure *measures, size_t n,
		 const struct err *err, void *arg)
{
	world_done(arg, err);
}

static void
look_on_entries(const struct slice *names, const struct slice *values, size_t n,
		const struct err *err, void *arg)
{
	world_done(arg, err);
}

static void
look_on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct world *w = arg;
	size_t i;

	world_done(w, err);
	if (page == NULL)
		return;
	w->n = page->n;
	look_note_next(w, page->next);
	for (i = 0; i < page->n; i++)
		snprintf(w->keys[i], sizeof(w->keys[i]), "%.*s",
			 (int)page->items[i].key.len,
			 page->items[i].key.len > 0 ? page->items[i].key.p
						    : "");
}

static void
look_on_records(const struct slice *records, size_t n, struct slice next,
		const struct err *err, void *arg)
{
	world_done(arg, err);
	look_note_next(arg, next);
}

static void
look_on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	world_done(arg, n > 0 && batch[0].err.code != ERR_NONE ? &batch[0].err
							       : NULL);
}

/* --- questions ----------------------------------------------------------- */

void
world_queues(struct world *w)
{
	broker_queues(w->broker, SLICE(""), look_on_queues, w);
	world_wait(w);
	broker_queues(w->broker, SLICE("io"), look_on_queues, w);
	world_wait(w);
}

void
world_wake(struct world *w)
{
	broker_control(w->broker,
		       SLICE("{\"order\":\"wake\",\"queue\":\"io\"}"),
		       look_on_value, w);
	world_wait(w);
}

void
world_workers(struct world *w)
{
	broker_workers(w->broker, look_on_workers, w);
	world_wait(w);
}

void
world_find(struct world *w, enum broker_location place)
{
	broker_find(w->broker, place, look_on_found, w);
	world_wait(w);
}

void
world_examine(struct world *w)
{
	broker_examine(w->broker, look_on_report, w);
	world_wait(w);
}

void
world_pause(struct world *w)
{
	broker_pause(w->broker, SLICE("io"), true, look_on_value, w);
	world_wait(w);
	broker_pause(w->broker, SLICE("io"), false, look_on_value, w);
	world_wait(w);
}

void
world_view(struct world *w, enum broker_location place, unsigned int most)
{
	char cursor[sizeof(w->next)] = "";
	const struct broker_view view = {
	    .queue = SLICE("io"), .place = place, .n = BROKER_PAGE_MAX};
	struct broker_view page;

	do {
		page = view;
		page.cursor = slice_of(cursor);
		broker_view(w->broker, &page, look_on_page, w);
		world_wait(w);
		snprintf(cursor, sizeof(cursor), "%s", w->next);
	} while (cursor[0] != '\0' && --most > 0);
}

void
world_remove(struct world *w, const char *id, unsigned int most)
{
	char cursor[sizeof(w->next)] = "";

	do {
		broker_remove(w->broker, SLICE("io"), slice_of(id),
			      slice_of(cursor), look_on_page, w);
		world_wait(w);
		snprintf(cursor, sizeof(cursor), "%s", w->next);
	} while (cursor[0] != '\0' && --most > 0);
}

void
world_purge(struct world *w, unsigned int most)
{
	do {
		broker_purge(w->broker, SLICE("io"), BROKER_PAGE_MAX,
			     look_on_page, w);
		world_wait(w);
	} while (w->next[0] != '\0' && --most > 0);
}

void
world_requeue(struct world *w, bool again)
{
	static struct broker_requeue batch[BROKER_PAGE_MAX];
	static char bytes[(2 << 20) + 16];
	size_t i;

	memset(bytes, 'x', w->scene->size + 2);
	world_view(w, BROKER_DEAD, 1);
	for (i = 0; i < w->n; i++)
		batch[i] = (struct broker_requeue){
		    .key = slice_of(w->keys[i]),
		    .retry_bytes = {bytes, again ? w->scene->size + 2 : 0},
		    .priority = (int32_t)(i % 2)};
	broker_requeue(w->broker, SLICE("io"), batch, w->n, look_on_requeued,
		       w);
	world_wait(w);
}

void
world_list(struct world *w, unsigned int most)
{
	char cursor[sizeof(w->next)] = "";

	do {
		results_list(w->results, false, slice_of(cursor),
			     RESULTS_PAGE_MAX, look_on_records, w);
		world_wait(w);
		snprintf(cursor, sizeof(cursor), "%s", w->next);
	} while (cursor[0] != '\0' && --most > 0);
}

void
world_sample(struct world *w)
{
	world_queues(w);
	world_workers(w);
	results_counts(w->results, look_on_counts, w);
	world_wait(w);
	results_measures(w->results, MEASURE_MINUTE, clock_wall_us() / 1000000,
			 look_on_measures, w);
	world_wait(w);
	results_measures(w->results, MEASURE_TOTAL, clock_wall_us() / 1000000,
			 look_on_measures, w);
	world_wait(w);
}

void
world_registry(struct world *w)
{
	broker_registry(w->broker, look_on_entries, w);
	world_wait(w);
}
