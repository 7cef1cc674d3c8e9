/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: lists and counts of the tasks that have ended.
 *
 * The list has only IDs, for which one script looks (recent.lua); another
 * fetches their records (records.lua), which are keys that its caller has to
 * name. Records may be gone (their time to live) or say something else by now,
 * so a page may hold fewer than asked for while more follow. In a Cluster, where
 * each record is on a node of its own, they are asked for one by one, some at a time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "store/cursor.h"
#include "store/redis/results.h"
#include "store/redis/scripts.h"
#include "util/sat.h"

/* A page ends early rather than keep the server busy: as VIEW_BYTES. */
#define PAGE_BYTES "1048576"
/* Records that are asked for at once, of nodes. */
#define NODES_STEP 16
/* A page is some scripts, and somebody may flush them before each. As in admin.c. */
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
	struct err wrong;   /* the cursor */
	struct buf ids;	    /* of the page, each with a NUL behind */
	unsigned int n_ids; /* 0: not known yet */
	int64_t first;	    /* the place of the first */
	/* Of nodes: */
	char **records; /* as many as IDs; NULL: it is gone, or not a record */
	unsigned int asked, due; /* of those; the answers that are awaited */
	size_t bytes;
	struct err failure;
	results_page_fn *on_page;
	void *arg;
	size_t len;
	char cursor[];
};

static void
listing_free(struct listing *l)
{
	unsigned int i;

	for (i = 0; l->records != NULL && i < l->n_ids; i++)
		free(l->records[i]);
	free(l->records);
	buf_done(&l->ids);
	free(l);
}

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

static const char *
nth_id(const struct listing *l, unsigned int n)
{
	const char *id = l->ids.data;

	for (; n > 0; n--)
		id += strlen(id) + 1;
	return id;
}

/* Behind a full page, or one that was cut, the next begins. `found` are `count`
 * records of the `seen` first IDs, and are left in order. */
static void
tell_records(const struct listing *l, int64_t seen, struct slice *found,
	     size_t count)
{
	struct buf next = BUF_INIT;
	struct err err;
	size_t i, n = 0;

	if (seen > 0 && seen <= l->n_ids && (seen < l->n_ids || seen == l->n))
		buf_addf(&next, "%" PRId64 ":%s", l->first + seen - 1,
			 nth_id(l, (unsigned int)seen - 1));
	if (found == NULL || next.failed) {
		err_nomem(&err);
		fail_page(l->on_page, &err, l->arg);
	} else {
		for (i = 0; i < count; i++)
			if (belongs(found[i], l->failed))
				found[n++] = found[i];
		l->on_page(found, n, (struct slice){next.data, next.len}, NULL,
			   l->arg);
	}
	buf_done(&next);
}

static void
tell_page(const struct listing *l, const struct redis_reply *reply)
{
	const size_t count = redis_reply_count(reply);
	struct slice *found = calloc(count + 1, sizeof(*found));
	size_t i;

	for (i = 1; found != NULL && i < count; i++)
		found[i - 1] = redis_reply_string(redis_reply_at(reply, i));
	tell_records(l, redis_reply_integer(redis_reply_at(reply, 0)), found,
		     count > 0 ? count - 1 : 0);
	free(found);
}

/* One as recent.lua makes them: a place, a colon, and an id. */
static bool
is_cursor(struct slice s)
{
	int64_t place;

	return cursor_number(&s, 0, PLACE_MAX, &place) && s.len > 0;
}

/* --- records of nodes ---------------------------------------------------- */

struct fetch {
	struct redis_request request; /* that it begins with */
	struct listing *listing;
	unsigned int i;
};

/* A task that ended twice is listed twice, and shown once. */
static bool
rlist_was_asked(const struct listing *l, unsigned int i)
{
	const char *id = nth_id(l, i), *other = l->ids.data;
	unsigned int k;

	for (k = 0; k < i; k++, other += strlen(other) + 1)
		if (strcmp(id, other) == 0)
			return true;
	return false;
}

static void
rlist_tell_fetched(struct listing *l)
{
	struct slice *found = calloc(l->asked + 1, sizeof(*found));
	size_t n = 0;
	unsigned int i;

	for (i = 0; found != NULL && i < l->asked; i++)
		if (l->records[i] != NULL)
			found[n++] = slice_of(l->records[i]);
	if (l->failure.code != ERR_NONE)
		fail_page(l->on_page, &l->failure, l->arg);
	else
		tell_records(l, l->asked, found, n);
	free(found);
	listing_free(l);
}

static void rlist_fetch(struct listing *l);

static void
rlist_on_fetched(struct redis_request *request, const struct redis_reply *reply)
{
	struct fetch *f = container_of(request, struct fetch, request);
	struct listing *l = f->listing;
	const struct slice record = rresults_record(reply);

	/* What is not a string is not a record, and answered with an error. */
	if (redis_fault(reply) != REDIS_FAULT_NONE &&
	    redis_fault(reply) != REDIS_FAULT_OTHER)
		redis_fault_err(l->results->redis, "listing results", reply,
				&l->failure);
	/* A record has no NUL. */
	if (record.p != NULL &&
	    (l->records[f->i] = strndup(record.p, record.len)) == NULL)
		err_nomem(&l->failure);
	l->bytes += record.len;
	free(f);
	if (--l->due == 0)
		rlist_fetch(l);
}

static void
rlist_drop_fetch(struct redis_request *request)
{
	struct fetch *f = container_of(request, struct fetch, request);

	if (--f->listing->due == 0)
		listing_free(f->listing);
	free(f);
}

static void
rlist_fetch_one(struct listing *l, unsigned int i)
{
	struct fetch *f = malloc(sizeof(*f));
	struct buf key = BUF_INIT;
	const struct slice argv[] = {
	    SLICE("GET"), arg_key(&key, ARG_RECORD, slice_of(nth_id(l, i)))};

	if (f == NULL || key.failed) {
		free(f);
		err_nomem(&l->failure);
	} else {
		*f = (struct fetch){.request = {.queue = l->results->requests,
						.on_reply = rlist_on_fetched,
						.drop = rlist_drop_fetch},
				    .listing = l,
				    .i = i};
		l->due++;
		rresults_command(&f->request, REDIS_ARGS(argv));
	}
	buf_done(&key);
}

/* The next ones, or the end. */
static void
rlist_fetch(struct listing *l)
{
	while (l->asked < l->n_ids && l->due < NODES_STEP &&
	       l->bytes < strtoul(PAGE_BYTES, NULL, 10) &&
	       l->failure.code == ERR_NONE) {
		if (!rlist_was_asked(l, l->asked))
			rlist_fetch_one(l, l->asked);
		l->asked++;
	}
	if (l->due == 0)
		rlist_tell_fetched(l);
}

/* --- pages --------------------------------------------------------------- */

static void
rlist_ask_records(struct listing *l)
{
	const struct slice args[] = {SLICE(PAGE_BYTES)};
	struct slice *keys = calloc(l->n_ids, sizeof(*keys));
	const size_t prefix = strlen(ARG_RECORD);
	const char *id = l->ids.data;
	struct buf names = BUF_INIT;
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < l->n_ids; i++, id += strlen(id) + 1)
		arg_key(&names, ARG_RECORD, slice_of(id));
	if (keys == NULL || names.failed) {
		err_nomem(&l->wrong);
		redis_request_later(&l->request);
	} else {
		id = l->ids.data;
		for (i = 0; i < l->n_ids; i++, id += strlen(id) + 1) {
			keys[i] = (struct slice){names.data + at,
						 prefix + strlen(id)};
			at += keys[i].len;
		}
		rresults_eval(&l->request, &rscripts[SCRIPT_RECORDS],
			      (struct redis_args){keys, l->n_ids},
			      REDIS_ARGS(args));
	}
	buf_done(&names);
	free(keys);
}

static void
rlist_show(struct listing *l)
{
	if (!l->results->cluster) {
		rlist_ask_records(l);
		return;
	}
	l->records = calloc(l->n_ids, sizeof(*l->records));
	if (l->records == NULL) {
		err_nomem(&l->wrong);
		redis_request_later(&l->request);
		return;
	}
	rlist_fetch(l);
}

static void
rlist_ask(struct listing *l)
{
	char want[ARG_NUMBER_SIZE];
	const struct slice key = arg_index_list(l->results->cluster, l->failed);
	const struct slice args[] = {{l->cursor, l->len},
				     arg_number(want, l->n)};

	if (l->n_ids > 0) {
		rlist_ask_records(l);
		return;
	}
	rresults_eval(&l->request, &rscripts[SCRIPT_RECENT],
		      (struct redis_args){&key, 1}, REDIS_ARGS(args));
}

/* Only a cursor, or IDs: whether the records are to be asked for. */
static bool
take_ids(struct listing *l, const struct redis_reply *reply)
{
	const size_t count = redis_reply_count(reply);
	struct slice id;
	size_t i;

	l->first = sat_clamp(redis_reply_integer(redis_reply_at(reply, 1)), 0,
			     PLACE_MAX);
	/* Not more than was asked for, whatever comes. */
	for (i = 2; i < count && l->n_ids < l->n; i++) {
		id = redis_reply_string(redis_reply_at(reply, i));
		/* No ID has a NUL: what has is cut, and has no record. */
		buf_add(&l->ids, id.p, strnlen(id.p, id.len));
		buf_addc(&l->ids, '\0');
		l->n_ids++;
	}
	if (l->ids.failed)
		err_nomem(&l->wrong);
	return l->n_ids > 0 && !l->ids.failed;
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
	} else if (fault == REDIS_FAULT_NONE && l->n_ids > 0) {
		tell_page(l, reply);
	} else if (fault == REDIS_FAULT_NONE && take_ids(l, reply)) {
		rlist_show(l);
		return;
	} else if (fault == REDIS_FAULT_NONE && l->wrong.code == ERR_NONE) {
		l->on_page(NULL, 0,
			   redis_reply_string(redis_reply_at(reply, 0)), NULL,
			   l->arg);
	} else if (l->wrong.code != ERR_NONE) {
		fail_page(l->on_page, &l->wrong, l->arg);
	} else {
		redis_fault_err(l->results->redis, "listing results", reply,
				&err);
		fail_page(l->on_page, &err, l->arg);
	}
	listing_free(l);
}

static void
rlist_drop(struct redis_request *request)
{
	listing_free(container_of(request, struct listing, request));
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
	*l = (struct listing){.request = {.queue = r->requests,
					  .on_reply = on_listed,
					  .drop = rlist_drop},
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
		    sat_clamp(redis_reply_integer(redis_reply_at(reply, 0)), 0,
			      INT64_MAX);
		counts.failed =
		    sat_clamp(redis_reply_integer(redis_reply_at(reply, 1)), 0,
			      INT64_MAX);
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
	const struct rresults *r = (struct rresults *)results;
	const struct slice argv[] = {
	    SLICE("HMGET"), arg_index_totals(r->cluster),
	    arg_index_field(false), arg_index_field(true)};
	struct err err;

	if (call == NULL) {
		err_nomem(&err);
		on_counts(NULL, &err, arg);
		return;
	}
	call->on_counts = on_counts;
	rresults_command(&call->request, REDIS_ARGS(argv));
}
