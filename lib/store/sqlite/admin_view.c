/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: tasks in pages.
 *
 * The I/O thread copies rows with their texts into the page; the loop then
 * makes the items, which point into those texts. A cursor is the sort key of
 * the last row, by which the index finds the next one at once, however deep.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/blob.h"
#include "store/sqlite/admin.h"
#include "store/sqlite/blobs.h"
#include "util/sat.h"

/* One page holds no more than this, so that it fits into memory and takes no
 * more than some milliseconds to read. */
#define PAGE_BYTES (4u << 20)

/* Columns of the VIEW_ statements. */
enum { AT_0, AT_1, NUMBER, PRIORITY, TIME, PIECES };

static const enum statement_index views[] = {
    [BROKER_WAITING] = SQL_VIEW_WAITING,
    [BROKER_DELAYED] = SQL_VIEW_DELAYED,
    [BROKER_IN_FLIGHT] = SQL_VIEW_INFLIGHT,
    [BROKER_DEAD] = SQL_VIEW_DEAD,
};

/* --- in the I/O thread ------------------------------------------------- */

/* A job may run again from the start. */
void
spage_reset(struct spage *page)
{
	page->n = 0;
	page->more = false;
	page->n_next = 0;
	buf_reset(&page->text);
}

/* The text moves while it grows, so that a row keeps lengths, not pointers. */
int
spage_add(struct spage *page, const struct spage_row *row,
	  const struct slice pieces[SPAGE_PIECES], struct err *err)
{
	struct spage_row *added = &page->rows[page->n++];
	int i;

	*added = *row;
	for (i = 0; i < SPAGE_PIECES; i++) {
		added->lens[i] = pieces[i].len;
		buf_add(&page->text, pieces[i].p, pieces[i].len);
	}
	return page->text.failed ? err_nomem(err) : 0;
}

/* Who looks at a task has all of it before him, and may put it into another store:
 * so what it shares with others is put in. */
static int
make_whole(struct tx *tx, struct slice *bytes, struct buf *whole,
	   struct err *err)
{
	struct buf blob = BUF_INIT;
	const int found = sblobs_of_run(tx, *bytes, &blob, err);

	if (found == 1 &&
	    blob_inline(*bytes, (struct slice){blob.data, blob.len}, whole,
			NULL) == 0)
		*bytes = (struct slice){whole->data, whole->len};
	buf_done(&blob);
	return found < 0 ? -1 : whole->failed ? err_nomem(err) : 0;
}

/* All VIEW_ statements have the same columns; those that a place lacks are
 * empty. */
static int
add_row(struct spage *page, struct tx *tx, enum statement_index sql,
	struct err *err)
{
	const struct spage_row row = {
	    .at = {tx_int(tx, sql, AT_0), tx_int(tx, sql, AT_1)},
	    .number = tx_int(tx, sql, NUMBER),
	    .priority = tx_int(tx, sql, PRIORITY),
	    .time_ms = tx_int(tx, sql, TIME)};
	struct slice pieces[SPAGE_PIECES];
	struct buf whole = BUF_INIT;
	int i, r;

	for (i = 0; i < SPAGE_PIECES; i++)
		pieces[i] = tx_bytes(tx, sql, PIECES + i);
	r = make_whole(tx, &pieces[SPAGE_BYTES], &whole, err);
	if (r == 0)
		r = spage_add(page, &row, pieces, err);
	buf_done(&whole);
	return r;
}

int
spage_read_run(struct spage *page, struct tx *tx, int64_t queue,
	       enum broker_location place, struct err *err)
{
	const enum statement_index sql = views[place];
	const size_t before = page->n;
	int more;

	more = tx_first(tx, err, sql, queue, page->after[0], page->after[1],
			(int64_t)(page->limit - page->n), page->skip);
	for (; more == 1; more = tx_next(tx, err, sql)) {
		if (page->n > before && page->text.len >= PAGE_BYTES)
			break;
		if (add_row(page, tx, sql, err) != 0)
			return -1;
	}
	if (more < 0)
		return -1;
	tx_end(tx, sql);
	page->more = more == 1 || page->n == page->limit;
	return (int)(page->n - before);
}

/* One that has an ID; the others have none that anybody could look for. */
static int
view_key_run(struct spage *page, struct tx *tx, int64_t queue, struct err *err)
{
	const enum statement_index sql = SQL_VIEW_DEAD_KEY;
	const int more = tx_first(tx, err, sql, queue, slice_of(page->id));

	if (more != 1)
		return more;
	if (add_row(page, tx, sql, err) != 0)
		return -1;
	tx_end(tx, sql);
	return 0;
}

static int
view_run(struct database_job *job, struct tx *tx, struct err *err)
{
	struct spage *page = container_of(job, struct spage, job);
	int64_t queue;
	int known;

	spage_reset(page);
	known = sadmin_queue_run(tx, slice_of(page->queue), &queue, err);
	if (known <= 0)
		return known;
	if (page->id[0] != '\0')
		return view_key_run(page, tx, queue, err);
	if (spage_read_run(page, tx, queue, page->place, err) < 0)
		return -1;
	if (page->more) {
		memcpy(page->next, page->rows[page->n - 1].at,
		       sizeof(page->next));
		page->n_next = 2;
	}
	return 0;
}

/* Nothing of what is wrong is carried out: the job only brings the error to the
 * loop. */
static int
wrong_run(struct database_job *job, struct tx *tx, struct err *err)
{
	return 0;
}

/* --- on the loop ------------------------------------------------------- */

static void
page_drop(struct database_job *job)
{
	struct spage *page = container_of(job, struct spage, job);

	buf_done(&page->text);
	free(page);
}

/* The next piece of the page's text. */
static struct slice
piece(const char **p, size_t len)
{
	const struct slice text = {*p != NULL ? *p : "", len};

	if (len > 0)
		*p += len;
	return text;
}

/* What a limit holds is set aside under "~" and its scope. */
static void
tell_limit(struct broker_item *item)
{
	item->held = item->info.len > 0 && item->info.p[0] == '~';
	if (item->held) {
		item->limit =
		    (struct slice){item->info.p + 1, item->info.len - 1};
		item->info.len = 0;
	}
}

/* In the order in which spage_add() has put the pieces. */
static void
tell(struct spage *page)
{
	struct broker_item items[BROKER_PAGE_MAX];
	struct broker_page shown = {.items = items, .n = page->n};
	const struct spage_row *row;
	const char *p = page->text.data;
	char next[CURSOR_SIZE];
	size_t i;

	for (i = 0; i < page->n; i++) {
		row = &page->rows[i];
		items[i] = (struct broker_item){
		    .bytes = piece(&p, row->lens[SPAGE_BYTES]),
		    .worker = piece(&p, row->lens[SPAGE_WORKER]),
		    .key = piece(&p, row->lens[SPAGE_KEY]),
		    .info = piece(&p, row->lens[SPAGE_INFO]),
		    .priority =
			(int32_t)sat_clamp(row->priority, INT32_MIN, INT32_MAX),
		    .time_ms = sat_clamp(row->time_ms, 0, BROKER_TIME_MAX_MS)};
		tell_limit(&items[i]);
	}
	if (page->n_next > 0)
		shown.next = cursor_write(next, page->next, page->n_next);
	page->on_page(&shown, NULL, page->arg);
}

static void
page_done(struct database_job *job, const struct err *err)
{
	struct spage *page = container_of(job, struct spage, job);

	if (err == NULL && page->wrong.code != ERR_NONE)
		err = &page->wrong;
	if (err != NULL)
		page->on_page(NULL, err, page->arg);
	else
		tell(page);
	page_drop(job);
}

struct spage *
spage_new(int (*run)(struct database_job *, struct tx *, struct err *),
	  struct slice queue, unsigned int limit, broker_page_fn *on_page,
	  void *arg)
{
	struct spage *page = calloc(1, sizeof(*page));
	struct err err;

	if (page == NULL) {
		err_nomem(&err);
		on_page(NULL, &err, arg);
		return NULL;
	}
	page->job = (struct database_job){
	    .run = run, .done = page_done, .drop = page_drop};
	page->on_page = on_page;
	page->arg = arg;
	page->limit = limit;
	/* Above all keys: lists run from the newest on. */
	page->after[0] = page->after[1] = INT64_MAX;
	memcpy(page->queue, queue.p, queue.len);
	return page;
}

void
spage_set_cursor(struct spage *page, struct slice cursor, size_t numbers)
{
	if (cursor.len > 0)
		cursor_read(cursor, page->after, numbers, &page->wrong);
}

void
spage_post(struct broker *broker, struct spage *page)
{
	struct sbroker *b = (struct sbroker *)broker;

	if (page->wrong.code != ERR_NONE) {
		page->job.run = wrong_run;
		page->job.reads = true;
	}
	database_post(&b->user, &page->job);
}

void
sadmin_view(struct broker *b, const struct broker_view *view,
	    broker_page_fn *on_page, void *arg)
{
	struct spage *page =
	    spage_new(view_run, view->queue, view->n, on_page, arg);

	if (page == NULL)
		return;
	page->job.reads = true;
	page->place = view->place;
	spage_set_cursor(page, view->cursor, 2);
	if (view->cursor.len == 0 && view->until_ms != 0)
		page->after[0] = view->until_ms;
	if (view->cursor.len == 0)
		page->skip = view->skip;
	/* No ID is longer, so that one that is cut is nobody's. */
	if (view->key.len > 0)
		snprintf(page->id, sizeof(page->id), "%.*s", (int)view->key.len,
			 view->key.p);
	spage_post(b, page);
}
