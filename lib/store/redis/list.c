/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: lists and counts of the tasks that have ended.
 *
 * The list has only IDs; the script (recent.lua) fetches their records in the
 * same call, and says where the next page begins. Records may be gone (their
 * time to live) or say something else by now, so a page may hold fewer than
 * asked for while more follow.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "store/cursor.h"
#include "store/redis/results.h"
#include "store/redis/scripts.h"

/* A page ends early rather than keep the server busy: as VIEW_BYTES. */
#define PAGE_BYTES "4194304"
/* As in admin.c. */
#define FORGOTTEN_MAX 3
/* The list is cut long before it reaches this (see index.c), and Lua still adds
 * to it without loss. */
#define PLACE_MAX 999999999

/* A request for one page. It is sent again when the server has forgotten the
 * script, hence the copy of the cursor. */
struct listing {
	struct redis_request request; /* that it begins with */
	struct rresults *results;
	bool failed;
	unsigned int n, forgotten;
	struct err wrong; /* the cursor */
	results_page_fn *on_page;
	void *arg;
	size_t len;
	char cursor[];
};

static void
fail_page(results_page_fn *on_page, const struct err *err, void *arg)
{
	const struct slice none = {NULL, 0};

	on_page(NULL, 0, none, err, arg);
}

/* A task that was put back by hand is listed with what it was, but its record
 * says what it is. */
static bool
belongs(struct slice record, bool failed)
{
	enum result_status status;

	return result_decode_status(record, &status) == 0 &&
	       status == (failed ? RESULT_FAILED : RESULT_SUCCESS);
}

/* The first element is the next cursor, the others are records. */
static void
tell_page(const struct listing *l, const struct redis_reply *reply)
{
	const size_t count = redis_reply_count(reply);
	struct slice *records = calloc(count + 1, sizeof(*records));
	struct err err;
	size_t i, n = 0;

	if (records == NULL) {
		err_nomem(&err);
		fail_page(l->on_page, &err, l->arg);
		return;
	}
	for (i = 1; i < count; i++) {
		records[n] = redis_reply_string(redis_reply_at(reply, i));
		n += belongs(records[n], l->failed);
	}
	l->on_page(records, n, redis_reply_string(redis_reply_at(reply, 0)),
		   NULL, l->arg);
	free(records);
}

/* One as recent.lua makes them: a place, a colon, and an id. */
static bool
is_cursor(struct slice s)
{
	int64_t place;

	return cursor_number(&s, 0, PLACE_MAX, &place) && s.len > 0;
}

static void
rlist_ask(struct listing *l)
{
	char want[ARG_NUMBER_SIZE];
	const struct slice key = rresults_index_list(l->failed);
	const struct slice args[] = {{l->cursor, l->len},
				     arg_number(want, l->n),
				     SLICE(PAGE_BYTES),
				     slice_of(ARG_RECORD)};

	rresults_eval(&l->request, &rscripts[SCRIPT_RECENT],
		      (struct redis_args){&key, 1}, REDIS_ARGS(args));
}

static void
on_listed(struct redis_request *request, const struct redis_reply *reply)
{
	struct listing *l = container_of(request, struct listing, request);
	const enum redis_fault fault = redis_fault(reply);
	struct err err;

	if (fault == REDIS_FAULT_SCRIPT && l->forgotten++ < FORGOTTEN_MAX) {
		rlist_ask(l);
		return;
	}
	if (l->wrong.code != ERR_NONE) {
		fail_page(l->on_page, &l->wrong, l->arg);
	} else if (fault == REDIS_FAULT_NONE) {
		tell_page(l, reply);
	} else {
		redis_fault_err(l->results->redis, "listing results", reply,
				&err);
		fail_page(l->on_page, &err, l->arg);
	}
	free(l);
}

/* A bad cursor is reported from the loop, as all answers are. */
void
rresults_list(struct results *results, bool failed, struct slice cursor,
	      unsigned int n, results_page_fn *on_page, void *arg)
{
	struct rresults *r = (struct rresults *)results;
	struct listing *l = malloc(sizeof(*l) + cursor.len);
	const unsigned int most = n < RESULTS_PAGE_MAX ? n : RESULTS_PAGE_MAX;
	struct err err;

	if (l == NULL) {
		err_nomem(&err);
		fail_page(on_page, &err, arg);
		return;
	}
	*l = (struct listing){
	    .request = {.queue = r->requests, .on_reply = on_listed},
	    .results = r,
	    .failed = failed,
	    .n = most > 0 ? most : 1,
	    .on_page = on_page,
	    .arg = arg,
	    .len = cursor.len};
	if (cursor.len > 0)
		memcpy(l->cursor, cursor.p, cursor.len);
	if (cursor.len == 0 || is_cursor(cursor)) {
		rlist_ask(l);
		return;
	}
	cursor_bad(&l->wrong);
	redis_request_later(&l->request);
}

/* --- counts ------------------------------------------------------------ */

static void
on_counted(struct redis_request *request, const struct redis_reply *reply)
{
	struct rresults_request *call =
	    container_of(request, struct rresults_request, request);
	struct results_counts counts;
	struct err err;

	if (redis_fault(reply) == REDIS_FAULT_NONE) {
		counts.succeeded =
		    redis_reply_integer(redis_reply_at(reply, 0));
		counts.failed = redis_reply_integer(redis_reply_at(reply, 1));
		call->on_counts(&counts, NULL, call->arg);
	} else {
		redis_fault_err(call->results->redis, "reading the totals",
				reply, &err);
		call->on_counts(NULL, &err, call->arg);
	}
	free(call);
}

/* The totals are kept as fields of a hash, since the lists are cut. A field
 * that does not exist is NIL, which counts as 0. */
void
rresults_counts(struct results *results, results_counts_fn *on_counts,
		void *arg)
{
	struct rresults_request *call =
	    rresults_request_new((struct rresults *)results, on_counted, arg);
	const struct slice argv[] = {SLICE("HMGET"), slice_of(RRESULTS_STATS),
				     rresults_index_field(false),
				     rresults_index_field(true)};
	struct err err;

	if (call == NULL) {
		err_nomem(&err);
		on_counts(NULL, &err, arg);
		return;
	}
	call->on_counts = on_counts;
	rresults_command(&call->request, REDIS_ARGS(argv));
}
