/* SPDX-License-Identifier: MIT */
/*
 * What the manager asks for that comes in pages: tasks at the broker, the dead
 * list, and final records.
 *
 * A page's items are good until its callback returns, so on_item and on_record
 * are called there, on the client's loop; only the cursor of the next page is
 * kept. Each page is a query of its own, and may be sent again by itself.
 */
#include <stdlib.h>

#include "manager/query.h"
#include "store/results.h"
#include "util/err.h"

/* One page, whatever it is of, and what lasts from page to page of a walk.
 * `enough`: on_item wants no more. */
struct page {
	struct query q;
	enum broker_location place;
	struct slice cursor;
	struct slice
	    id; /* of the one that is to be due; or a key of the dead */
	int64_t until_ms, skip;
	unsigned int n;
	bool failed; /* of records */
	query_item_fn *on_item;
	query_record_fn *on_record;
	void *arg;
	size_t seen;
	bool enough;
	struct buf next;
	struct broker_requeue *batch;
	struct broker_dead *dead;
};

/* The items up to the one that is enough. `seen` counts those that on_item has
 * looked at, since the depth of a walk is in those. */
static void
look(struct page *p, const struct broker_item *items, size_t n)
{
	struct err err = ERR_INIT;
	int answer = 0;
	size_t i;

	for (i = 0; i < n && answer == 0; i++, p->seen++)
		answer = p->on_item(&items[i], p->arg, &err);
	p->enough = answer > 0;
	query_end(&p->q, answer < 0 ? &err : NULL);
}

/* The cursor lies in the store's memory. */
static void
keep_next(struct page *p, struct slice next)
{
	buf_reset(&p->next);
	buf_add(&p->next, next.p, next.len);
	if (p->next.failed)
		err_nomem(&p->q.op.err);
}

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct page *p = arg;

	if (page == NULL) {
		query_end(&p->q, err);
		return;
	}
	keep_next(p, page->next);
	look(p, page->items, page->n);
}

static void
send_view(struct query *q)
{
	const struct page *p = container_of(q, struct page, q);
	const struct broker_view view = {.queue = q->key,
					 .place = p->place,
					 .cursor = p->cursor,
					 .n = p->n,
					 .until_ms = p->until_ms,
					 .skip = p->skip,
					 .key = p->id};

	broker_view(q->client->broker, &view, on_page, q);
}

static void
send_purge(struct query *q)
{
	broker_purge(q->client->broker, q->key, BROKER_PAGE_MAX, on_page, q);
}

/* --- walking ----------------------------------------------------------- */

/* The cursor is what the page before has left. The two buffers change places:
 * the store reads the old cursor while the callback writes the new one. */
static int
turn_page(struct page *p, struct buf *cursor, struct err *err)
{
	struct buf was = *cursor;

	p->q.op.err.code = ERR_NONE;
	*cursor = p->next;
	p->next = was;
	p->cursor = (struct slice){cursor->data, cursor->len};
	return query_run(&p->q, err);
}

/* Pages until there is no other, or enough was seen. */
static int
walk(struct page *p, size_t depth, bool *ret_more, struct err *err)
{
	struct buf cursor = BUF_INIT;
	int result = client_check(p->q.client, err);

	if (result == 0)
		do
			result = turn_page(p, &cursor, err);
		while (result == 0 && !p->enough && p->next.len > 0 &&
		       p->seen < depth);
	*ret_more = result == 0 && !p->enough && p->next.len > 0;
	buf_done(&cursor);
	buf_done(&p->next);
	return result;
}

/* A caller that wants a few items has them with a short query; most want all
 * there are. */
static unsigned int
page_size(size_t wanted, unsigned int max)
{
	return wanted == 0 || wanted > max ? max : (unsigned int)wanted;
}

int
query_walk(struct flowrra_client *c, struct query_walk *w, struct err *err)
{
	struct page p = {
	    .q = {.client = c, .send = send_view, .key = slice_of(w->queue)},
	    .place = w->place,
	    .n = page_size(w->page, BROKER_PAGE_MAX),
	    .on_item = w->on_item,
	    .arg = w->arg};

	return walk(&p, w->depth, &w->more, err);
}

/* Half of what is allowed, since a page may be a little longer than asked for.
 */
static struct page
page_of_cursor(struct flowrra_client *c, const struct query_cursor *cursor,
	       query_item_fn *on_item, void *arg)
{
	return (struct page){
	    .q = {.client = c,
		  .send = send_view,
		  .key = slice_of(cursor->queue)},
	    .place = cursor->place,
	    .cursor = {cursor->next.data, cursor->next.len},
	    .id = slice_of(cursor->key != NULL ? cursor->key : ""),
	    .until_ms = cursor->until_ms,
	    .skip = cursor->skip,
	    .n = cursor->n > 0 ? cursor->n : BROKER_PAGE_MAX / 2,
	    .on_item = on_item,
	    .arg = arg};
}

static void
cursor_follow(struct query_cursor *cursor, struct page *p, bool good)
{
	buf_done(&cursor->next);
	cursor->next = p->next;
	cursor->more = good && !p->enough && p->next.len > 0;
}

int
query_next(struct flowrra_client *c, struct query_cursor *cursor,
	   query_item_fn *on_item, void *arg, struct err *err)
{
	struct page p = page_of_cursor(c, cursor, on_item, arg);
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&p.q, err);
	cursor_follow(cursor, &p, result == 0);
	return result;
}

/* The first error is told; all must have ended before. */
int
query_next_all(struct flowrra_client *c, struct query_cursor *cursors, size_t n,
	       query_item_fn *on_item, struct err *err)
{
	struct page *pages = calloc(n + 1, sizeof(*pages));
	int result = 0;
	size_t i;

	if (pages == NULL)
		return err_nomem(err);
	if (client_check(c, err) != 0) {
		free(pages);
		return -1;
	}
	for (i = 0; i < n; i++) {
		pages[i] = page_of_cursor(c, &cursors[i], on_item, &cursors[i]);
		query_begin(&pages[i].q);
	}
	for (i = 0; i < n; i++) {
		if (query_finish(&pages[i].q, result == 0 ? err : NULL) != 0)
			result = -1;
		cursor_follow(&cursors[i], &pages[i], result == 0);
	}
	free(pages);
	return result;
}

void
query_cursor_done(struct query_cursor *cursor)
{
	buf_done(&cursor->next);
}

/* Not sent twice: what the lost answer showed is gone, and a second page must
 * not be taken for it. */
int
query_purge(struct flowrra_client *c, const char *queue, query_item_fn *on_item,
	    void *arg, bool *ret_more, struct err *err)
{
	struct page p = {.q = {.client = c,
			       .send = send_purge,
			       .once = true,
			       .key = slice_of(queue)},
			 .on_item = on_item,
			 .arg = arg};

	/* One page: its cursor does not matter, what it shows is gone. */
	return walk(&p, 0, ret_more, err);
}

/* --- delayed ones ------------------------------------------------------ */

static void
send_hasten(struct query *q)
{
	const struct page *p = container_of(q, struct page, q);

	broker_hasten(q->client->broker, q->key, p->id, p->cursor, on_page, q);
}

static int
hasten_on_item(const struct broker_item *item, void *arg, struct err *err)
{
	*(bool *)arg = true;
	return 1;
}

/* May be sent twice: what is due stays so. */
int
query_hasten(struct flowrra_client *c, const char *queue, const char *id,
	     struct err *err)
{
	bool found = false, more;
	struct page p = {
	    .q = {.client = c, .send = send_hasten, .key = slice_of(queue)},
	    .id = slice_of(id),
	    .on_item = hasten_on_item,
	    .arg = &found};

	return walk(&p, SIZE_MAX, &more, err) == 0 ? found : -1;
}

/* --- the dead ---------------------------------------------------------- */

static void
on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	query_end(arg, NULL);
}

/* The answers are in the batch, which is the caller's. */
static void
send_requeue(struct query *q)
{
	const struct page *p = container_of(q, struct page, q);

	broker_requeue(q->client->broker, q->key, p->batch, p->n, on_requeued,
		       q);
}

/* Not sent twice: then what was requeued by the first would be reported as not
 * found. */
int
query_requeue(struct flowrra_client *c, const char *queue,
	      struct broker_requeue *batch, size_t n, struct err *err)
{
	struct page p = {.q = {.client = c,
			       .send = send_requeue,
			       .once = true,
			       .key = slice_of(queue)},
			 .batch = batch,
			 .n = (unsigned int)n};

	if (client_check(c, err) != 0)
		return -1;
	return query_run(&p.q, err);
}

static void
on_dead_added(struct broker_dead *batch, size_t n, void *arg)
{
	query_end(arg, NULL);
}

static void
send_add_dead(struct query *q)
{
	const struct page *p = container_of(q, struct page, q);

	broker_add_dead(q->client->broker, q->key, p->dead, p->n, on_dead_added,
			q);
}

/* Not sent twice: then what the first has added would be reported as there. */
int
query_add_dead(struct flowrra_client *c, const char *queue,
	       struct broker_dead *batch, size_t n, struct err *err)
{
	struct page p = {.q = {.client = c,
			       .send = send_add_dead,
			       .once = true,
			       .key = slice_of(queue)},
			 .dead = batch,
			 .n = (unsigned int)n};

	if (client_check(c, err) != 0)
		return -1;
	return query_run(&p.q, err);
}

/* --- final records ----------------------------------------------------- */

/* As look(), for records. */
static void
on_records(const struct slice *records, size_t n, struct slice next,
	   const struct err *err, void *arg)
{
	struct page *p = arg;
	struct err why = ERR_INIT;
	int answer = 0;
	size_t i;

	if (err != NULL) {
		query_end(&p->q, err);
		return;
	}
	keep_next(p, next);
	for (i = 0; i < n && answer == 0; i++, p->seen++)
		answer = p->on_record(records[i], p->arg, &why);
	p->enough = answer > 0;
	query_end(&p->q, answer < 0 ? &why : NULL);
}

static void
send_list(struct query *q)
{
	const struct page *p = container_of(q, struct page, q);

	results_list(q->client->results, p->failed, p->cursor, p->n, on_records,
		     q);
}

int
query_list(struct flowrra_client *c, struct query_list *l, struct err *err)
{
	struct page p = {
	    .q = {.client = c, .send = send_list, .of_results = true},
	    .failed = l->failed,
	    .n = page_size(l->page, RESULTS_PAGE_MAX),
	    .on_record = l->on_record,
	    .arg = l->arg};

	return walk(&p, l->depth, &l->more, err);
}

int
query_list_next(struct flowrra_client *c, struct query_list_cursor *cursor,
		query_record_fn *on_record, void *arg, struct err *err)
{
	struct page p = {
	    .q = {.client = c, .send = send_list, .of_results = true},
	    .failed = cursor->failed,
	    .cursor = {cursor->next.data, cursor->next.len},
	    .n = page_size(cursor->n, RESULTS_PAGE_MAX),
	    .on_record = on_record,
	    .arg = arg};
	int result = client_check(c, err);

	if (result == 0)
		result = query_run(&p.q, err);
	buf_done(&cursor->next);
	cursor->next = p.next;
	cursor->more = result == 0 && p.next.len > 0;
	return result;
}

void
query_list_cursor_done(struct query_list_cursor *cursor)
{
	buf_done(&cursor->next);
}
