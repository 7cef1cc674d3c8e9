/* SPDX-License-Identifier: MIT */
/*
 * The backend: where result records live. One contract, several
 * implementations.
 *
 * All calls return at once and callbacks come from the loop, never from within
 * a call (but when there is no memory to wait with). While the backend is out
 * of reach, records that must be kept wait here and are stored when it is back;
 * questions fail. Not thread-safe.
 */
#ifndef RESULTS_RESULTS_H
#define RESULTS_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/pending.h"

struct event_base;
struct results;

struct results_options {
	struct event_base *base;
	const char *url;
	int64_t timeout_ms;
	int64_t max_connections;
	/* As in broker.h. */
	void (*on_state)(bool up, bool final, const struct err *why, void *arg);
	void *arg;
};

struct results *results_open(const struct results_options *options,
			     struct err *err);
/* Calls nobody back; records that are not confirmed may be lost. */
void results_close(struct results *r);
const char *results_name(const struct results *r);
bool results_is_up(const struct results *r);

/*
 * One record to store. The caller keeps it, and what its slices point to,
 * until on_done. A final record is stored with its life and its waiters are
 * told; only another final one can replace it. A record that is not final may
 * be `lossy`: given up when the backend cannot take it at once.
 */
struct results_put {
	struct slice id;
	struct slice record; /* JSON */
	bool final;
	bool lossy;
	int64_t ttl_s; /* of a final record; 0: for ever */
	void (*on_done)(struct results_put *put);
	void *arg, *owner;	/* the caller's */
	struct pending pending; /* the implementation's */
};
/*
 * Stores a record; a record that is not lossy cannot fail. A lossy record is
 * never stored after one of the same task that follows it; for other records
 * of one task, await on_done before the next.
 */
void results_put(struct results *r, struct results_put *put);
/* Records that have not been confirmed. */
size_t results_unconfirmed(const struct results *r);

/* `record` is empty (p == NULL) if there is none; err is NULL or says why it
 * cannot be told. */
typedef void results_record_fn(struct slice record, const struct err *err,
			       void *arg);
void results_get(struct results *r, struct slice id,
		 results_record_fn *on_record, void *arg);

/*
 * Stores the pending records of tasks that are about to be submitted, where
 * the broker is another store. An id that has a record already is answered
 * with ERR_REFUSED in its place of `errs`.
 */
typedef void results_created_fn(struct err *errs, size_t n, void *arg);
void results_create(struct results *r, const struct slice *ids,
		    const struct slice *records, struct err *errs, size_t n,
		    results_created_fn *on_done, void *arg);
/* Takes records away again (a submission that failed). Lost if out of reach. */
void results_forget(struct results *r, const struct slice *ids, size_t n);

/*
 * Watches a task: on_record is called with its record as it is now (empty if
 * there is none), and again, with the final one, when it is final; not again
 * after a final one. With an err the watch goes on: it is a sign of trouble.
 * Lasts through reconnects. End it with results_unwatch(), also after the
 * final record.
 */
struct results_watch;
struct results_watch *results_watch(struct results *r, struct slice id,
				    results_record_fn *on_record, void *arg,
				    struct err *err);
void results_unwatch(struct results_watch *w);

/* Publishes a task event (JSON), if anybody is known to listen. */
void results_event(struct results *r, struct slice event);
/* Whether anybody listens; a hint, at most some seconds old. */
bool results_heard(const struct results *r);

/* What an implementation provides; results.c calls the one for the URL. */
struct results_ops {
	const char *const *schemes; /* "redis://", … NULL at the end */
	struct results *(*open)(const struct results_options *, struct err *);
	void (*close)(struct results *);
	const char *(*name)(const struct results *);
	bool (*is_up)(const struct results *);
	void (*put)(struct results *, struct results_put *);
	size_t (*unconfirmed)(const struct results *);
	void (*get)(struct results *, struct slice id,
		    results_record_fn *on_record, void *arg);
	void (*create)(struct results *, const struct slice *ids,
		       const struct slice *records, struct err *errs, size_t n,
		       results_created_fn *on_done, void *arg);
	void (*forget)(struct results *, const struct slice *ids, size_t n);
	struct results_watch *(*watch)(struct results *, struct slice id,
				       results_record_fn *on_record, void *arg,
				       struct err *err);
	void (*unwatch)(struct results_watch *);
	void (*event)(struct results *, struct slice event);
	bool (*heard)(const struct results *);
};

struct results {
	const struct results_ops *ops;
};
/* The first member of every implementation's watch. */
struct results_watch {
	struct results *results;
};

extern const struct results_ops results_redis;
extern const struct results_ops results_sqlite;

#endif
