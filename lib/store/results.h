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
#ifndef STORE_RESULTS_H
#define STORE_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/measures.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/pending.h"

struct broker_claim;
struct event_base;
struct results;

struct results_options {
	struct event_base *base;
	const char *url;
	int64_t timeout_ms;
	int64_t max_connections;
	bool has_queues; /* the tasks' queues are in the same store */
	/* A worker's, and no broker of the same store tells: on_state warns of
	 * what its user may not do. */
	bool examine;
	/* As in broker.h. */
	void (*on_state)(bool up, bool final, const struct err *why, void *arg);
	bool (*may_block)(void *arg);
	void *arg;
};

struct results *results_open(const struct results_options *options,
			     struct err *err);
/* Calls nobody back; records that are not confirmed may be lost. */
void results_close(struct results *r);
const char *results_name(const struct results *r);
bool results_is_up(const struct results *r);

/* What became of a record. */
enum results_answer {
	RESULTS_STORED, /* it is there; or it was lossy, and was given up */
	RESULTS_ENDED,	/* the task has a final record, which stays */
	RESULTS_FENCED	/* its claim is not on record any more */
};

/*
 * One record to store. The caller keeps it, and what its slices point to,
 * until on_done. A final record is stored with its life and its waiters are
 * told; nothing replaces it but results_reopen(). A record that is not final
 * may be `lossy`: given up when the backend cannot take it at once.
 */
struct results_put {
	struct slice id;
	struct slice record; /* JSON */
	bool final;
	bool failed; /* of a final record: for results_list() */
	bool lossy;
	struct slice reply_to; /* of its task, see results_reply_to() */
	int64_t ttl_s;	       /* of a final record; 0: for ever */
	/*
	 * The claim that the record follows from, if the broker is the same
	 * store, else NULL: the record is stored only while the claim is on
	 * record (in a Cluster: while that is sure, or no final one is
	 * there). It must last until on_done, or results_close().
	 */
	const struct broker_claim *claim;
	enum results_answer answer; /* part of the answer */
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
/* This process is about to end: from now on nothing waits for company. */
void results_hurry(struct results *r);

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
/*
 * The same for people who look at a task: on_record is called with its record
 * as it is now and whenever it has another one: it runs, has come further, is
 * retried, has ended, and after that, when an operator has it run again. It may
 * be told of one twice, and one that was replaced at once may be left out. What
 * other programs store, and that a record has expired, is not noticed: look
 * again now and then.
 */
struct results_watch *results_follow(struct results *r, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);

/*
 * Where the final records of tasks can be sent that somebody awaits here: a
 * task that carries this address as its reply_to may be awaited instead of
 * watched. NULL: watch it. That is so with a backend that has no such thing,
 * and until it is ready; a later call may say otherwise.
 */
const char *results_reply_to(struct results *r);
/*
 * The same as results_watch(), for a task that is about to be submitted with
 * that reply_to, and with fewer questions to the backend: on_record is called
 * with the final record, which the worker sends. Should none come soon, since
 * the task takes long or its worker knows nothing of addresses, it goes on as a
 * watch.
 */
struct results_watch *results_await(struct results *r, struct slice id,
				    results_record_fn *on_record, void *arg,
				    struct err *err);

/*
 * Events: what has become of tasks, for those who look on. There are two kinds.
 * A brief one is a line that says which task it is and how it does (codec/
 * result_json.h), and comes together with others; a whole one carries the record.
 * Those who tell them know which kind somebody listens to, since records cost a
 * worker up to half of its speed.
 */
enum results_detail { RESULTS_BRIEF, RESULTS_WHOLE };
#define RESULTS_DETAILS 2

/* How the answer of a worker to ORDER_HEAR begins (codec/order.h), and an event
 * of a task: its record, whole or brief, and "}" follow. */
#define RESULTS_HEARD "{\"type\":\"worker.hears\""
/* The same of its answer to ORDER_SIGNAL. */
#define RESULTS_SIGNALLED "{\"type\":\"worker.signalled\""
#define RESULTS_UPDATE "{\"type\":\"task.update\",\"task\":"

/* Publishes an event (JSON, without a newline), if anybody is known to listen. A
 * brief one may wait some ms for others. */
void results_event(struct results *r, enum results_detail detail,
		   struct slice event);
/* Both: the record of a task has become this one. */
void results_changed(struct results *r, struct slice record);
/* Which kinds anybody listens to, as bits 1 << detail; a hint, at most some
 * seconds old. */
unsigned int results_heard(const struct results *r);
/* Somebody says that he listens: counts as true from now on, until that can be
 * seen. Only for those who call results_heard(). */
void results_expect(struct results *r, enum results_detail detail);
/*
 * Listens: on_event is called with the events of any worker, from on_ready (which
 * may be NULL) on, in the order in which a worker published them; with one whole
 * one, or with some brief ones, a line each. `err` is NULL, or says (with an
 * empty event) that some may have been missed: out of reach, or too slow.
 * Listening goes on by itself, and on_ready is called once. One listener for each
 * backend; NULL ends it. 0, or -1 with *err.
 */
typedef void results_event_fn(struct slice event, const struct err *err,
			      void *arg);
struct results_ear {
	enum results_detail detail;
	results_event_fn *on_event;
	void (*on_ready)(void *arg);
	void *arg;
};
int results_listen(struct results *r, const struct results_ear *ear,
		   struct err *err);

/* --- for those who run it ---------------------------------------------- */

/*
 * A page of final records, those that were stored last first, of tasks that
 * succeeded or of those that failed. At least the last RESULTS_LIST_MAX of each
 * kind can be listed, as long as they are not expired. `cursor` is empty for
 * the first page, and else what the one before gave as `next`, where empty
 * means that this was all. A page may be short, or empty, and yet have a next
 * one; a task that has ended twice may come twice, in different pages. `n` is
 * at most RESULTS_PAGE_MAX. A cursor that was made up is answered with
 * ERR_DATA, if it can be told.
 */
#define RESULTS_LIST_MAX 100000
#define RESULTS_PAGE_MAX 500
typedef void results_page_fn(const struct slice *records, size_t n,
			     struct slice next, const struct err *err,
			     void *arg);
void results_list(struct results *r, bool failed, struct slice cursor,
		  unsigned int n, results_page_fn *on_page, void *arg);

/*
 * How many tasks have ended since the backend has been in use. Good for rates
 * and totals, not for accounts: a worker that loses its connection at the wrong
 * moment may count a few of them twice.
 */
struct results_counts {
	int64_t succeeded, failed;
};
/* `counts` is NULL if err says why there is no answer. */
typedef void results_counts_fn(const struct results_counts *counts,
			       const struct err *err, void *arg);
void results_counts(struct results *r, results_counts_fn *on_counts, void *arg);

/* Puts a pending record in the place of whatever is there, a final one too: the
 * task is to run again. `record` of the answer is empty. */
void results_reopen(struct results *r, struct slice id, struct slice record,
		    results_record_fn *on_done, void *arg);

/*
 * What may be wrong with a store that has the records only, of what
 * broker_examine() says of one with queues: the rights of its user. Nothing is
 * changed. A store that has no such thing answers at once, with none.
 */
struct results_finding {
	const char *what, *remedy;
};
typedef void results_findings_fn(const struct results_finding *findings,
				 size_t n, const struct err *err, void *arg);
void results_examine(struct results *r, results_findings_fn *on_findings,
		     void *arg);

/* What an implementation provides; store.h finds the one for a URL. */
struct results_ops {
	struct results *(*open)(const struct results_options *, struct err *);
	void (*close)(struct results *);
	const char *(*name)(const struct results *);
	bool (*is_up)(const struct results *);
	void (*put)(struct results *, struct results_put *);
	size_t (*unconfirmed)(const struct results *);
	/* NULL: nothing waits. */
	void (*hurry)(struct results *);
	void (*get)(struct results *, struct slice id,
		    results_record_fn *on_record, void *arg);
	void (*create)(struct results *, const struct slice *ids,
		       const struct slice *records, struct err *errs, size_t n,
		       results_created_fn *on_done, void *arg);
	void (*forget)(struct results *, const struct slice *ids, size_t n);
	struct results_watch *(*watch)(struct results *, struct slice id,
				       results_record_fn *on_record, void *arg,
				       struct err *err);
	struct results_watch *(*follow)(struct results *, struct slice id,
					results_record_fn *on_record, void *arg,
					struct err *err);
	void (*unwatch)(struct results_watch *);
	/* These two may be missing. */
	const char *(*reply_to)(struct results *);
	struct results_watch *(*await)(struct results *, struct slice id,
				       results_record_fn *on_record, void *arg,
				       struct err *err);
	void (*event)(struct results *, enum results_detail detail,
		      struct slice event);
	unsigned int (*heard)(const struct results *);
	void (*expect)(struct results *, enum results_detail detail);
	int (*listen)(struct results *, const struct results_ear *ear,
		      struct err *err);
	void (*list)(struct results *, bool failed, struct slice cursor,
		     unsigned int n, results_page_fn *on_page, void *arg);
	void (*counts)(struct results *, results_counts_fn *on_counts,
		       void *arg);
	/* NULL: there is nothing to examine. */
	void (*examine)(struct results *, results_findings_fn *on_findings,
			void *arg);
	void (*reopen)(struct results *, struct slice id, struct slice record,
		       results_record_fn *on_done, void *arg);
	/* measures.h; `at_s` of the second is where the step begins. */
	void (*measure)(struct results *, int64_t at_s,
			const struct measure *measures, size_t n,
			results_measured_fn *on_done, void *arg);
	void (*measures)(struct results *, enum measure_step step, int64_t at_s,
			 results_measures_fn *on_measures, void *arg);
};

struct results {
	const struct results_ops *ops;
};
/* The first member of every implementation's watch. */
struct results_watch {
	struct results *results;
};

#define STORE(name) extern const struct results_ops results_##name;
#include "store/stores.def"
#undef STORE

#endif
