/* SPDX-License-Identifier: MIT */
/* What stores tell: looked at, and compared with what their headers promise. */
#include "fuzz/redis_store/told.h"

#include <stdlib.h>
#include <string.h>

struct told told;
static volatile unsigned int sink;

void
must(bool condition)
{
	if (!condition)
		abort();
}

void *
told_ask(void)
{
	must(told.n < TOLD_MAX);
	return &told.answers[told.n++];
}

void
told_forget(void)
{
	memset(&told, 0, sizeof(told));
}

bool
told_all(void)
{
	return memchr(told.answers, 0, told.n) == NULL;
}

unsigned int
told_look(struct slice s)
{
	unsigned int sum = 0;
	size_t i;

	for (i = 0; i < s.len; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

static void
answered(void *arg, const struct err *err)
{
	unsigned char *times = arg;

	must(++*times == 1);
	must(err == NULL || (err->code != ERR_NONE && err->msg[0] != '\0'));
}

void
told_on_queues(const struct queue_stats *queues, size_t n,
	       const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++) {
		must(strlen(queues[i].name) <= TASK_QUEUE_MAX);
		must(queues[i].waiting >= 0 && queues[i].delayed >= 0 &&
		     queues[i].dead >= 0 && queues[i].in_flight >= 0);
		sink += told_look(queues[i].unknown);
	}
}

void
told_on_workers(const struct worker_info *workers, size_t n,
		const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++) {
		must(strlen(workers[i].name) <= TASK_ID_MAX);
		must(workers[i].in_flight >= 0);
		sink += told_look(workers[i].description);
	}
}

void
told_on_found(const struct queue_found *found, size_t n, const struct err *err,
	      void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++)
		sink += told_look(slice_of(found[i].name));
}

/* The cursor is what the next question begins with: it comes from the server. */
void
told_on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	const struct broker_item *item;
	size_t i;

	answered(arg, err);
	must((page == NULL) == (err != NULL));
	if (page == NULL)
		return;
	for (i = 0; i < page->n; i++) {
		item = &page->items[i];
		sink += told_look(item->bytes) + told_look(item->worker) +
			told_look(item->key) + told_look(item->info);
	}
	sink += told_look(page->next);
	told.cursor_len = page->next.len < sizeof(told.cursor)
			      ? page->next.len
			      : sizeof(told.cursor);
	if (told.cursor_len > 0)
		memcpy(told.cursor, page->next.p, told.cursor_len);
}

void
told_on_value(struct slice value, const struct err *err, void *arg)
{
	answered(arg, err);
	sink += told_look(value);
}

void
told_on_names(const struct slice *names, size_t n, const struct err *err,
	      void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++)
		sink += told_look(names[i]);
}

void
told_on_entries(const struct slice *names, const struct slice *values, size_t n,
		const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++)
		sink += told_look(names[i]) + told_look(values[i]);
}

void
told_on_report(const struct broker_report *report, const struct err *err,
	       void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; report != NULL && i < report->n; i++)
		sink += told_look(slice_of(report->findings[i].what)) +
			told_look(slice_of(report->findings[i].remedy));
}

void
told_on_findings(const struct results_finding *findings, size_t n,
		 const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++)
		sink += told_look(slice_of(findings[i].what));
}

void
told_on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	answered(arg, NULL);
}

void
told_on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	size_t i;

	answered(arg, NULL);
	for (i = 0; i < n; i++)
		must(strlen(batch[i].owner) < BROKER_OWNER_SIZE);
}

void
told_on_list(const struct slice *records, size_t n, struct slice next,
	     const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++)
		sink += told_look(records[i]);
	sink += told_look(next);
}

void
told_on_counts(const struct results_counts *counts, const struct err *err,
	       void *arg)
{
	answered(arg, err);
	must(counts == NULL || (counts->failed >= 0 && counts->succeeded >= 0));
}

void
told_on_measured(const struct err *err, void *arg)
{
	answered(arg, err);
}

void
told_on_measures(const struct measure *measures, size_t n,
		 const struct err *err, void *arg)
{
	size_t i;

	answered(arg, err);
	for (i = 0; i < n; i++) {
		must(measures[i].n > 0);
		sink +=
		    told_look(measures[i].queue) + told_look(measures[i].task);
	}
}

void
told_on_created(struct err *errs, size_t n, void *arg)
{
	answered(arg, NULL);
}

/* Of a watch, which may tell more than once. */
void
told_on_watched(struct slice record, const struct err *err, void *arg)
{
	sink += told_look(record);
}

void
told_on_event(struct slice event, const struct err *err, void *arg)
{
	sink += told_look(event);
}

void
told_on_state(bool up, bool final, const struct err *why, void *arg)
{
	must(why == NULL || why->msg[0] != '\0');
}
