/* SPDX-License-Identifier: MIT */
/*
 * The SQLite backend, as its own files see it: records.c and create.c store
 * records (record.h: how they are kept), behind.c does what follows from many, watch.c waits for them, list.c reads and
 * lists them, events.c tells of events, told.c hands them over, listen.c hears them,
 * measure.c keeps counts.
 *
 * Functions named *_run, and others with a struct tx, run in the file's I/O
 * thread, in a transaction; all else on the loop. What a job's struct holds is
 * the I/O thread's while the job is under way.
 */
#ifndef STORE_SQLITE_RESULTS_H
#define STORE_SQLITE_RESULTS_H

#include "sqlite/database.h"
#include "sqlite/tx.h"
#include "store/results.h"
#include "store/sqlite/statements.h"
#include "store/watches.h"

struct look;

/* Events on their way into the database. One job at a time for each of these.
 */
struct spublishing {
	struct database_job job;
	bool under_way;
	/* Whole ones, each with its length (size_t) before it; and brief ones,
	 * lines. */
	struct buf waiting[RESULTS_DETAILS], sent[RESULTS_DETAILS];
	bool missed, sent_missed; /* some had to be dropped before these */
	unsigned int found;	  /* listeners, as bits */
	int64_t swept_ms;	  /* monotonic */
	int64_t sent_ms;	  /* the same, of the last ones; 0: long ago */
	struct timer *due;	  /* of brief ones that wait for others */
	bool hurry;		  /* none waits any more */
};

/* Looks whether there are listeners. */
struct shearing {
	struct database_job job;
	bool under_way, again;
	unsigned int found;
};

/*
 * A listener. `registered`: it has a row. Events are read from `seen` on; the
 * row says how far, so that what all have read can be removed.
 */
struct slistening {
	struct database_job job;
	bool under_way, again;
	bool left;		/* meanwhile */
	struct results_ear ear; /* on_event is NULL: does not listen */
	bool told_ready;
	bool registered;
	int64_t seen;	    /* the last event that was handed over */
	int64_t saved;	    /* the one that the row names */
	struct timer *save; /* set: until then the row stays as it is */
	bool telling;	    /* events are being handed over */
	/* The job's. */
	enum results_detail detail; /* which events it wants */
	int64_t number;		    /* of the listener */
	int64_t newest;
	struct buf events; /* each with its length (size_t) before it */
	bool missed;	   /* some, after these */
	bool drained;
	bool saves; /* how far it has read, if that is farther */
};

/* What follows from ends, and was not done with them: one job at a time. */
struct sbehind {
	struct database_job job;
	bool under_way;
	struct buf found;      /* by the job that stores records */
	struct buf next;       /* for the next job */
	struct buf list, rest; /* the job's: what it does, and what it leaves */
};

struct sresults {
	struct results pub;
	bool dead; /* closed by its listener, while that is told */
	struct results_options opt;
	struct database_user user;

	/* Records on their way: one job at a time takes all that wait. */
	struct database_job put_job;
	bool putting;
	struct pending_list waiting, sent;
	size_t count; /* in both */
	unsigned int put_heard;
	struct sbehind behind;

	bool tells; /* has asked whether it is heard: listeners wake it */
	unsigned int heard;
	struct spublishing publishing;
	struct shearing hearing;
	struct slistening listening;

	struct watches watches; /* of struct stopic */
	struct look *looking;	/* under way */
	struct timer *absent;	/* the next look for a file that is not there */
	bool look_again;
};

/* --- behind.c ----------------------------------------------------------- */

void sbehind_init(struct sresults *r);
/* Frees what is left; the database is left already. */
void sbehind_done_with(struct sresults *r);
/* Records were stored: what they have left is done. */
void sbehind_add(struct sresults *r);

/* --- create.c ----------------------------------------------------------- */

void sresults_create(struct results *results, const struct slice *ids,
		     const struct slice *records, struct err *errs, size_t n,
		     results_created_fn *on_done, void *arg);
void sresults_forget(struct results *results, const struct slice *ids,
		     size_t n);

/* --- list.c ------------------------------------------------------------- */

void sresults_get(struct results *results, struct slice id,
		  results_record_fn *on_record, void *arg);
void sresults_list(struct results *results, bool failed, struct slice cursor,
		   unsigned int n, results_page_fn *on_page, void *arg);
void sresults_counts(struct results *results, results_counts_fn *on_counts,
		     void *arg);
void sresults_reopen(struct results *results, struct slice id,
		     struct slice record, results_record_fn *on_done,
		     void *arg);

/* --- measure.c ---------------------------------------------------------- */

void sresults_measure(struct results *results, int64_t at_s,
		      const struct measure *measures, size_t n,
		      results_measured_fn *on_done, void *arg);
void sresults_measures(struct results *results, enum measure_step step,
		       int64_t at_s, results_measures_fn *on_measures,
		       void *arg);

/* --- events.c ----------------------------------------------------------- */

void sevents_init(struct sresults *r);
/* Ends listening; the database is left next. */
void sevents_leave(struct sresults *r);
/* Frees what is left; the database is left already. */
void sevents_done(struct sresults *r);
/* Somebody may listen now, or has told something. */
void sevents_wake(struct sresults *r);
void sevents_hurry(struct results *results);
/* Whether anybody listens. */
int sevents_heard_run(struct tx *tx, unsigned int *ret_heard, struct err *err);
void sresults_event(struct results *results, enum results_detail detail,
		    struct slice event);
unsigned int sresults_heard(const struct results *results);
void sresults_expect(struct results *results, enum results_detail detail);

/* --- told.c: events in the database ------------------------------------- */

/* One process tells others no more than this at once, of either kind. */
#define SEVENTS_MAX (16u << 20)

/* Lists of bytes, each with its length (size_t) before it. Adds one, all of it or
 * nothing (list->failed); the one at *at, which moves behind it. */
void sevents_append(struct buf *list, struct slice item);
bool sevents_next(const struct buf *list, size_t *at, struct slice *ret);

/* Where the last event is, and where the next one goes. */
struct sevents_end {
	int64_t number, at;
};

/* The number of the last event, there or removed. */
int sevents_newest_run(struct tx *tx, int64_t *ret, struct err *err);
int sevents_end_run(struct tx *tx, struct sevents_end *ret, struct err *err);
/* Adds one; an empty one, or one that there is no room for, says that some are
 * missing. */
int sevents_add_run(struct tx *tx, struct sevents_end *end,
		    enum results_detail detail, struct slice event,
		    struct err *err);
/* Removes the oldest, if there are too many. */
int sevents_trim_run(struct tx *tx, const struct sevents_end *end,
		     struct err *err);
/* Removes those that all listeners have read; without listeners, all. */
int sevents_free_run(struct tx *tx, struct err *err);
/* Appends those after `*number`, which moves on, of one kind, up to some bytes;
 * empty ones for what is missing. 1 if there may be more, 0, or -1 with *err. */
int sevents_read_run(struct tx *tx, int64_t *number, enum results_detail detail,
		     struct buf *list, struct err *err);

/* --- listen.c ---------------------------------------------------------- */

void slisten_init(struct sresults *r);
/* Enlists, or reads what has come, if somebody listens. */
void sevents_look(struct sresults *r);
int sresults_listen(struct results *results, const struct results_ear *ear,
		    struct err *err);

/* --- wake.c ------------------------------------------------------------- */

/* Wakes the processes that wait for the record to be final. */
int swake_record_run(struct tx *tx, struct slice id, struct err *err);
/* Wakes the listeners that have read all there was. */
int swake_listeners_run(struct tx *tx, struct err *err);

/* --- watch.c ------------------------------------------------------------ */

/* -1 when memory runs out. */
int sresults_watches_init(struct sresults *r);
/* After the database is left. */
void sresults_watches_done(struct sresults *r);
struct results_watch *sresults_follow(struct results *results, struct slice id,
				      results_record_fn *on_record, void *arg,
				      struct err *err);
/* In the I/O thread: the task has another record that is not final. Wakes those
 * who follow it. */
int swatch_changed_run(struct tx *tx, struct slice id, struct err *err);
/* Whether anybody follows a task whose ID is in the order of IDs from `first` to
 * `last`: 1, 0, or -1 with *err. */
int swatch_follow_run(struct tx *tx, struct slice first, struct slice last,
		      struct err *err);
struct results_watch *sresults_watch(struct results *results, struct slice id,
				     results_record_fn *on_record, void *arg,
				     struct err *err);
/* Something may have become final. */
void sresults_look(struct sresults *r);

#endif
