/* SPDX-License-Identifier: MIT */
/*
 * What the manager asks broker and backend. Each function returns when it has
 * its answer; what is out of reach is awaited for socket_timeout. For
 * lib/manager only.
 */
#ifndef MANAGER_QUERY_H
#define MANAGER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "client/client.h"
#include "store/admin.h"
#include "store/results.h"

/*
 * The state of one queue, or with NULL of all, in the order of their names: a
 * new array of
 *	{"queue": "io", "waiting": 3, "delayed": 1, "in_flight": 2, "dead": 0,
 *	 "oldest_at": RFC 3339 or null, "next_due_at": RFC 3339 or null,
 *	 "paused": false, "set_aside": 0, "held": 0, "unknown": ["resiez"]}
 * (see struct queue_stats). NULL with *err.
 */
json_t *query_queues(struct flowrra_client *c, const char *name,
		     struct err *err);
/*
 * The queues that may have tasks at a place, in the order of their names: a new
 * array of
 *	{"queue": "io", "newest_ms": the latest time there, or 0}
 * (see broker_find()). NULL with *err.
 */
json_t *query_find(struct flowrra_client *c, enum broker_location place,
		   struct err *err);
/*
 * The workers on record, in the order of their names: a new array of
 *	{"worker": "host:main", "alive": true, "in_flight": 2,
 *	 "description": what it said of itself, or null}
 */
json_t *query_workers(struct flowrra_client *c, struct err *err);

/* Given what the broker reports of its server, on the loop. */
typedef void query_report_fn(const struct broker_report *report, void *arg);
/* 0, and on_told was called; or -1 with *err. */
int query_examine(struct flowrra_client *c, query_report_fn *on_told, void *arg,
		  struct err *err);
/* The same of a backend of its own: each of its findings is told. */
typedef void query_finding_fn(const char *what, const char *remedy, void *arg);
int query_examine_backend(struct flowrra_client *c,
			  query_finding_fn *on_finding, void *arg,
			  struct err *err);
/* How many tasks have ended: 0, or -1 with *err. */
int query_counts(struct flowrra_client *c, struct results_counts *ret,
		 struct err *err);
/* How many tasks are registered, and how many of them are not members of the
 * object `served`; NULL: none is counted. */
int query_registered(struct flowrra_client *c, const json_t *served,
		     size_t *ret_n, size_t *ret_unserved, struct err *err);
/* Whether the broker answers: 0, or -1 with *err. */
int query_ping(struct flowrra_client *c, struct err *err);
/* Whether it also takes changes: the same. */
int query_try(struct flowrra_client *c, struct err *err);

/* A task's record, a new value; json_null() if there is none. NULL with *err,
 * ERR_DATA if it is not a JSON object. */
json_t *query_record(struct flowrra_client *c, const char *id, struct err *err);
/* The same for many at a time: rets[i] stays NULL where there is none, or it
 * cannot be understood. */
int query_records(struct flowrra_client *c, const char *const *ids, size_t n,
		  json_t **rets, struct err *err);

/* Deletes records, and waits until the store has done it. Each id stays the
 * caller's. */
int query_forget(struct flowrra_client *c, const char *const *ids, size_t n,
		 struct err *err);

/* Sends an order to the workers, and takes it. */
int query_control(struct flowrra_client *c, json_t *order, struct err *err);
int query_pause(struct flowrra_client *c, const char *queue, bool paused,
		struct err *err);

/* --- limits (query_limits.c) --------------------------------------------- */

/* The limits of a queue, in the order of their scopes: an array of
 *	{"queue": "mail", "scope": "group", "key": "acme", "by": "kwargs.tenant",
 *	 "concurrency": 3, "rate": 100, "period": 60.0, "burst": 1,
 *	 "running": 1, "held": 0, "held_since": null,
 *	 "declared_by": "host:1", "disputed_by": null}
 * where scope is "queue", "task", "group" or "each_group"; key is null but for
 * "task" and "group"; what the limit does not say is null; `held_since` is a time;
 * `by` is null if a task's group stands only in its field. `declared_by` is the worker
 * whose configuration has the limit, null if a command has set it; and `disputed_by`
 * another one that had declared another limit before, and not this one since. */
json_t *query_limits(struct flowrra_client *c, const char *queue,
		     struct err *err);
/* *ret_found: the rule that was to go was there. */
int query_limit_change(struct flowrra_client *c,
		       const struct broker_limit_change *change,
		       bool *ret_found, struct err *err);
/* What workers declare comes into force, whatever was set; only the queue and the
 * scope of the change count. *ret_found: something was declared. */
int query_limit_restore(struct flowrra_client *c,
			const struct broker_limit_change *change,
			bool *ret_found, struct err *err);

/* --- pages ------------------------------------------------------------- */

/* Looks at one; on the loop. 0: go on, 1: that is enough, -1 with *err. */
typedef int query_item_fn(const struct broker_item *item, void *arg,
			  struct err *err);

/*
 * Where to look, and how far. The walk ends when that many were looked at, or
 * on_item says so.
 */
struct query_walk {
	const char *queue;
	enum broker_location place;
	size_t depth;
	size_t page; /* about how many at a time; 0: as many as there may be */
	query_item_fn *on_item;
	void *arg;
	bool more; /* the answer: it was ended by `depth` */
};
int query_walk(struct flowrra_client *c, struct query_walk *walk,
	       struct err *err);

/* One page at a time, for those who change what they see, or go on later. Begin
 * it with its first members, and on_item sees all of the page; where it says that
 * it is enough, there is no other. */
struct query_cursor {
	const char *queue;
	enum broker_location place;
	unsigned int n; /* about how many; 0: half of what there may be */
	int64_t until_ms, skip; /* of the first page: as in broker_view */
	const char *key;	/* DEAD: only this one; NULL: any */
	void *arg;		/* the caller's */
	bool more;		/* the answer: there is another page */
	struct buf next;
};
int query_next(struct flowrra_client *c, struct query_cursor *cursor,
	       query_item_fn *on_item, void *arg, struct err *err);
/* The same of many, which leave together; on_item is given the cursor itself as
 * its `arg`. Asked again after a lost connection, it may see items twice. */
int query_next_all(struct flowrra_client *c, struct query_cursor *cursors,
		   size_t n, query_item_fn *on_item, struct err *err);
void query_cursor_done(struct query_cursor *cursor);

/* Takes a page out of a queue; *ret_more: there may be another. */
int query_purge(struct flowrra_client *c, const char *queue,
		query_item_fn *on_item, void *arg, bool *ret_more,
		struct err *err);
/* broker_hasten(), to the end of the search: 1, 0 if it is not delayed there; -1
 * with *err. */
int query_hasten(struct flowrra_client *c, const char *queue, const char *id,
		 struct err *err);
/* broker_requeue(); each of the batch has its answer, or -1 with *err: then
 * nobody knows. */
int query_requeue(struct flowrra_client *c, const char *queue,
		  struct broker_requeue *batch, size_t n, struct err *err);
/* The same of broker_add_dead(). */
int query_add_dead(struct flowrra_client *c, const char *queue,
		   struct broker_dead *batch, size_t n, struct err *err);

/* Final records, as query_walk() does. `record` does not end in a NUL. */
typedef int query_record_fn(struct slice record, void *arg, struct err *err);
struct query_list {
	bool failed; /* of tasks that failed, not of those that succeeded */
	size_t depth;
	size_t page;
	query_record_fn *on_record;
	void *arg;
	bool more;
};
int query_list(struct flowrra_client *c, struct query_list *list,
	       struct err *err);

/* As struct query_cursor, of final records. */
struct query_list_cursor {
	bool failed;
	unsigned int n;
	bool more;
	struct buf next;
};
int query_list_next(struct flowrra_client *c, struct query_list_cursor *cursor,
		    query_record_fn *on_record, void *arg, struct err *err);
void query_list_cursor_done(struct query_list_cursor *cursor);

/* --- storing records --------------------------------------------------- */

struct query_put {
	const char *id;
	struct slice record;
};
/* Stores final records of tasks that failed, and tells those who wait
 * and those who listen to events. */
int query_put_failed(struct flowrra_client *c, const struct query_put *puts,
		     size_t n, struct err *err);
/* The same of tasks that succeeded. */
int query_put_succeeded(struct flowrra_client *c, const struct query_put *puts,
			size_t n, struct err *err);
/* results_reopen() for many; each has its answer in errs[i]. */
void query_reopen(struct flowrra_client *c, const struct query_put *puts,
		  size_t n, struct err *errs);

#endif
