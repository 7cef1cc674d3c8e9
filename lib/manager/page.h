/* SPDX-License-Identifier: MIT */
/*
 * Lists that are read in steps, for those who show them: a step looks at so much
 * and no more, whatever there is, and says where the next one begins.
 *
 * A list in steps is an object
 *	{"items": [...], "next": cursor or null, "complete": bool,
 *	 "looked_at": n}
 * "next" is null at the end. "complete" is false where the step ended before it
 * had found `limit` items or come to the end: there may be others, or none.
 * A step has at most 1 MiB of tasks, or one that is longer: so a list of long ones
 * comes in more steps than it has `limit`s, with "complete" false.
 * "looked_at" are the tasks of this step, found or not. What comes, goes or
 * moves between two steps may be missed, or come twice.
 */
#ifndef MANAGER_PAGE_H
#define MANAGER_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "util/buf.h"

struct err;

#define PAGE_LIMIT_MAX 500
/* 20 pages of a store, which fit into the time below where the tasks are small
 * and the server is near. */
#define PAGE_DEPTH 10000
/* Of the tasks in an answer: of 500 that are 1 MiB long each, no process should
 * have all at once. */
#define PAGE_BYTES ((size_t)1 << 20)
/* A person waits that long without a thought. */
#define PAGE_TIME_US INT64_C(200000)
/* Of a page in a browser, which asks for the next step by itself: with what
 * comes before and after it, a step is there in 50 ms, also on a machine that
 * is half as fast as it should be. */
#define PAGE_QUICK_US INT64_C(25000)

struct page_query {
	/* What the step before gave as "next"; NULL or empty: the first. It
	 * goes with the same list and filter only. */
	const char *cursor;
	size_t limit; /* of items: 1 to PAGE_LIMIT_MAX */
	/* What a step may look at, and how long; 0: PAGE_DEPTH and
	 * PAGE_TIME_US. It ends behind the page of the store with which it has
	 * come so far. If it is to end sooner than after PAGE_TIME_US, it goes
	 * on until then while it has looked at few. */
	size_t depth;
	int64_t time_us;
	/* The answer, with an error: it is about the cursor. */
	bool bad_cursor;
};

/* --- for lib/manager only ------------------------------------------------ */

/* One step. */
struct page_step {
	struct page_query *query;
	uint64_t hash;		  /* of the list and the filter */
	int64_t quick_us, end_us; /* when it should end, and has to */
	size_t looked_at;
	/* What came from the store, and what is among the items. */
	size_t n_read, read_bytes, item_bytes;
	json_t *items;
	struct buf next; /* empty: the end */
};

/* Begins a step; *ret_place is what page_next() had written, empty for the
 * first one. -1 with *err; page_step_done() is due in any case. */
int page_step_begin(struct page_step *step, struct page_query *query,
		    uint64_t hash, struct slice *ret_place, struct err *err);
void page_step_done(struct page_step *step);
/* How many items more, 0: there are enough, or their bytes are. */
size_t page_wanted(const struct page_step *step);
/* The store has given an entry. */
void page_count(struct page_step *step, size_t bytes);
/* How many of `n` entries to ask the store for, by what came so far. */
size_t page_fitting(const struct page_step *step, size_t n);
/* Appends an item, which was so long in the store. */
void page_add(struct page_step *step, json_t *item, size_t bytes);
/* Whether the step has looked at enough. */
bool page_is_over(const struct page_step *step);
/* Sets where the next step begins; the text is printf()'s. */
void page_next(struct page_step *step, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The place in a cursor is nonsense: sets *err; returns -1. */
int page_bad(struct page_step *step, struct err *err);
/* The list; NULL with *err. */
json_t *page_answer(struct page_step *step, struct err *err);

#endif
