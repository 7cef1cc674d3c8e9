/* SPDX-License-Identifier: MIT */
/*
 * Looks for a task in its queue.
 *
 * No store can tell where a task is by its id alone, so pages are read. Whether
 * an item is the task is decided by its bytes: they hold the id. They may also
 * hold it as an argument, which only makes a task that is lost look alive.
 */
#include "beat/trace.h"

#include <string.h>

#include "store/admin.h"
#include "util/err.h"

/* Together 10,000 tasks: a trade between what it costs the server, some ms
 * each, and queues in which a lost task is not noticed. */
#define PAGE 500
#define PAGES_MAX 20

/* A task moves from left to right, and from the last to the first. */
static const enum broker_location places[] = {BROKER_WAITING, BROKER_IN_FLIGHT,
					      BROKER_DELAYED};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

static void trace_ask(struct trace *t);

static bool
page_has(const struct broker_page *page, const char *id)
{
	const size_t len = strlen(id);
	size_t i;

	for (i = 0; i < page->n; i++)
		if (memmem(page->items[i].bytes.p, page->items[i].bytes.len, id,
			   len) != NULL)
			return true;
	return false;
}

static void
trace_end(struct trace *t, enum trace_end end)
{
	buf_reset(&t->cursor);
	t->on_end(end, t->arg);
}

static void
on_traced_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct trace *t = arg;

	if (page == NULL) {
		/* A queue that cannot be one is named by a record that was made
		 * up. */
		trace_end(t,
			  err->code == ERR_DATA ? TRACE_UNKNOWN : TRACE_FAILED);
		return;
	}
	if (page_has(page, t->id)) {
		trace_end(t, TRACE_FOUND);
		return;
	}
	buf_reset(&t->cursor);
	buf_add(&t->cursor, page->next.p, page->next.len);
	if (t->cursor.len == 0 && ++t->place == N_PLACES)
		trace_end(t, TRACE_NOWHERE);
	else if (t->cursor.failed || ++t->pages == PAGES_MAX)
		trace_end(t, TRACE_UNKNOWN);
	else
		trace_ask(t);
}

static void
trace_ask(struct trace *t)
{
	const struct broker_view view = {
	    .queue = slice_of(t->queue),
	    .place = places[t->place],
	    .cursor = {t->cursor.data, t->cursor.len},
	    .n = PAGE};

	broker_view(t->broker, &view, on_traced_page, t);
}

void
trace_start(struct trace *t)
{
	t->place = t->pages = 0;
	buf_reset(&t->cursor);
	trace_ask(t);
}

void
trace_done(struct trace *t)
{
	buf_done(&t->cursor);
}
