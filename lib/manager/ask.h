/* SPDX-License-Identifier: MIT */
/*
 * What the manager asks broker and backend. Each function returns when it has
 * its answer; what is out of reach is awaited for socket_timeout. For
 * lib/manager only.
 */
#ifndef MANAGER_ASK_H
#define MANAGER_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "client/client.h"
#include "store/admin.h"

/* Questions whose answer is one JSON value. */
void ask_queues(struct query *q); /* key: a queue, or empty */
void ask_workers(struct query *q);
void ask_examine(struct query *q);
void ask_counts(struct query *q); /* of the backend */

/* Puts one of them. A new value; NULL with *err. */
json_t *ask_json(struct flowrra_client *c, void (*send)(struct query *q),
		 const char *key, struct err *err);

/* A task's record, a new value; json_null() if there is none. NULL with *err,
 * ERR_DATA if it is no JSON object. */
json_t *ask_record(struct flowrra_client *c, const char *id, struct err *err);
/* The same; the text as it is stored is appended to *ret_text. */
json_t *ask_record_text(struct flowrra_client *c, const char *id,
			struct buf *ret_text, struct err *err);
/* The same for many at a time: rets[i] stays NULL where there is none, or it
 * cannot be understood. */
int ask_records(struct flowrra_client *c, const char *const *ids, size_t n,
		json_t **rets, struct err *err);

/* Sends an order to the workers, and takes it. */
int ask_order(struct flowrra_client *c, json_t *order, struct err *err);
int ask_pause(struct flowrra_client *c, const char *queue, bool paused,
	      struct err *err);

/* --- pages ------------------------------------------------------------- */

/* Looks at one; on the loop. 0: go on, 1: that is enough, -1 with *err. */
typedef int ask_item_fn(const struct broker_item *item, void *arg,
			struct err *err);

/*
 * Where to look, and how far. The walk ends when that many were looked at, or
 * on_item says so.
 */
struct ask_walk {
	const char *queue;
	enum broker_location place;
	size_t depth;
	size_t page; /* about how many at a time; 0: as many as there may be */
	ask_item_fn *on_item;
	void *arg;
	bool more; /* the answer: it was ended by `depth` */
};
int ask_walk(struct flowrra_client *c, struct ask_walk *walk, struct err *err);

/* One page at a time, for those who change what they see. Begin it with its
 * first two members, and on_item sees all of the page. */
struct ask_cursor {
	const char *queue;
	enum broker_location place;
	bool more; /* the answer: there is another page */
	struct buf next;
};
int ask_next(struct flowrra_client *c, struct ask_cursor *cursor,
	     ask_item_fn *on_item, void *arg, struct err *err);
void ask_cursor_done(struct ask_cursor *cursor);

/* Takes a page out of a queue; *ret_more: there may be another. */
int ask_purge(struct flowrra_client *c, const char *queue, ask_item_fn *on_item,
	      void *arg, bool *ret_more, struct err *err);
/* Takes one task out of a queue; *ret_found: it was there. */
int ask_withdraw(struct flowrra_client *c, const char *queue, const char *id,
		 bool *ret_found, struct err *err);
/* broker_requeue(); each of the batch has its answer, or -1 with *err: then
 * nobody knows. */
int ask_exhume(struct flowrra_client *c, const char *queue,
	       struct broker_requeue *batch, size_t n, struct err *err);

/* Final records, as ask_walk() does. `record` is no NULL-ended text. */
typedef int ask_record_fn(struct slice record, void *arg, struct err *err);
struct ask_list {
	bool failed; /* of tasks that failed, not of those that succeeded */
	size_t depth;
	size_t page;
	ask_record_fn *on_record;
	void *arg;
	bool more;
};
int ask_list(struct flowrra_client *c, struct ask_list *list, struct err *err);

/* --- storing records --------------------------------------------------- */

struct ask_put {
	const char *id;
	struct slice record;
};
/* Stores final records of tasks that failed, and tells those who wait
 * and those who listen to events. */
int ask_put_failed(struct flowrra_client *c, const struct ask_put *puts,
		   size_t n, struct err *err);
/* results_reopen() for many; each has its answer in errs[i]. */
void ask_reopen(struct flowrra_client *c, const struct ask_put *puts, size_t n,
		struct err *errs);

#endif
