/* SPDX-License-Identifier: MIT */
/*
 * Steps of lists: their cursors, and their ends.
 *
 * A cursor is text: 16 digits that say of which list and filter it is, a dot,
 * and a place that only the list understands. It comes back from a browser, so
 * each part is checked before it is used, and a store checks its own.
 */
#include "manager/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/err.h"

/* Of one step, read from the store: enough for 10,000 tasks of 6 KiB. */
#define READ_BYTES ((size_t)64 << 20)
/* Of one question to the store. */
#define LOOK_BYTES ((size_t)8 << 20)
#define FIRST_LOOK 50
#define LEAST_LOOK 8
/* Fewer entries are not worth a step: where a store is slow, or they lie in as
 * many queues. */
#define STEP_LEAST 300

#define HASH_DIGITS 16
/* A place holds a name of a queue, a store's cursor (at most a task's ID and
 * two numbers), and two numbers. */
#define CURSOR_MAX 1024

/* The flag tells a caller that the mistake is in the cursor, and no other
 * one. */
int
page_bad(struct page_step *step, struct err *err)
{
	step->query->bad_cursor = true;
	return err_set(err, ERR_DATA,
		       "invalid cursor; start the list without a cursor");
}

/* A cursor of another list is a mistake of its own: it happens when a filter is
 * changed and the old page's link is followed. */
static int
page_read_cursor(struct page_step *step, const char *cursor,
		 struct slice *ret_place, struct err *err)
{
	char hash[HASH_DIGITS + 1];

	snprintf(hash, sizeof(hash), "%016" PRIx64, step->hash);
	if (strlen(cursor) > CURSOR_MAX || strlen(cursor) < HASH_DIGITS + 2 ||
	    cursor[HASH_DIGITS] != '.')
		return page_bad(step, err);
	if (strncmp(cursor, hash, HASH_DIGITS) != 0) {
		step->query->bad_cursor = true;
		return err_set(err, ERR_DATA,
			       "this cursor is of another list or filter; "
			       "start the list without a cursor");
	}
	*ret_place = slice_of(cursor + HASH_DIGITS + 1);
	return 0;
}

int
page_step_begin(struct page_step *step, struct page_query *query, uint64_t hash,
		struct slice *ret_place, struct err *err)
{
	const int64_t now_us = clock_mono_us();
	const int64_t time_us =
	    query->time_us > 0 ? query->time_us : PAGE_TIME_US;

	*step = (struct page_step){
	    .query = query,
	    .hash = hash,
	    .quick_us = now_us + time_us,
	    .end_us =
		now_us + (time_us < PAGE_TIME_US ? PAGE_TIME_US : time_us),
	    .items = json_array()};
	query->bad_cursor = false;
	*ret_place = (struct slice){NULL, 0};
	if (step->items == NULL)
		return err_nomem(err);
	if (query->limit < 1 || query->limit > PAGE_LIMIT_MAX)
		return err_set(err, ERR_DATA, "limit: out of range (1 to %d)",
			       PAGE_LIMIT_MAX);
	if (query->cursor == NULL || query->cursor[0] == '\0')
		return 0;
	return page_read_cursor(step, query->cursor, ret_place, err);
}

void
page_step_done(struct page_step *step)
{
	json_decref(step->items);
	buf_done(&step->next);
}

/* None once the items are long together, however few they are. */
size_t
page_wanted(const struct page_step *step)
{
	return step->item_bytes < PAGE_BYTES
		   ? step->query->limit - json_array_size(step->items)
		   : 0;
}

void
page_count(struct page_step *step, size_t bytes)
{
	step->n_read++;
	step->read_bytes += bytes;
}

static size_t
page_depth(const struct page_step *step)
{
	return step->query->depth > 0 ? step->query->depth : PAGE_DEPTH;
}

/* A first look tells how long they are; what is left out of it costs a question
 * more, where a list is long. */
size_t
page_fitting(const struct page_step *step, size_t n)
{
	const size_t depth = page_depth(step);
	size_t fit = FIRST_LOOK;

	if (step->n_read > 0)
		fit = LOOK_BYTES / (step->read_bytes / step->n_read + 1);
	if (fit < LEAST_LOOK)
		fit = LEAST_LOOK;
	if (step->looked_at < depth && depth - step->looked_at < fit)
		fit = depth - step->looked_at;
	return n < fit ? n : fit;
}

/* Holds the item; the caller's reference stays the caller's. */
void
page_add(struct page_step *step, json_t *item, size_t bytes)
{
	json_array_append(step->items, item);
	step->item_bytes += bytes;
}

/* By what was looked at, what was read, and the time: the first keeps a step
 * cheap for the store, the second for our memory, the third for the person. */
bool
page_is_over(const struct page_step *step)
{
	const int64_t now_us = clock_mono_us();

	return step->looked_at >= page_depth(step) ||
	       step->read_bytes >= READ_BYTES || now_us >= step->end_us ||
	       (now_us >= step->quick_us && step->looked_at >= STEP_LEAST);
}

/* A place that is too long is cut, and refused when it comes back. */
void
page_next(struct page_step *step, const char *fmt, ...)
{
	char place[CURSOR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(place, sizeof(place), fmt, ap);
	va_end(ap);
	buf_reset(&step->next);
	buf_addf(&step->next, "%016" PRIx64 ".%s", step->hash, place);
}

json_t *
page_answer(struct page_step *step, struct err *err)
{
	const bool full = json_array_size(step->items) == step->query->limit;
	json_t *next = step->next.len > 0
			   ? json_stringn(step->next.data, step->next.len)
			   : NULL;
	json_t *answer;

	/* A cursor that is not UTF-8 has the bytes of another program's worker;
	 * the list ends there rather than fail. */
	answer =
	    step->next.failed
		? NULL
		: json_pack("{s:O,s:o?,s:b,s:I}", "items", step->items, "next",
			    next, "complete", full || step->next.len == 0,
			    "looked_at", (json_int_t)step->looked_at);
	if (answer == NULL)
		err_nomem(err);
	return answer;
}
