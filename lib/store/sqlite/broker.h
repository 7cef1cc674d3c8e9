/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker, as its own files see it.
 *
 * A task's way: submit.c stores it, delay.c keeps it if it is for later,
 * claim.c takes it (limits.c, of a queue that has some), settle.c ends the claim;
 * together.c has what both do for many
 * at once. worker.c says that the worker
 * lives, takeover.c takes over what dead ones left, tidy.c keeps the dead
 * lists short, and lost.c ends records of tasks that are gone. lanes.c has what a
 * worker cannot run, and who can; recall.c makes due what waits for a worker that
 * has come. wake.c wakes those that wait. deputy.h: producers submit by way of a
 * worker. broker.c opens and closes; registry.c has the other questions of producers, admin*.c those of
 * operators.
 *
 * Functions named *_run, and what they call, run in the file's I/O thread, in a
 * transaction; all else on the loop. What a job's struct holds is the I/O
 * thread's while the job is under way.
 */
#ifndef STORE_SQLITE_BROKER_H
#define STORE_SQLITE_BROKER_H

#include "sqlite/database.h"
#include "sqlite/tx.h"
#include "store/broker.h"
#include "store/lost.h"
#include "store/sqlite/statements.h"

/* Bytes of expired records, about, that go in one transaction: to give back the
 * pages of one of 1 MiB takes 1.5 ms. */
#define SRECORDS_EXPIRE_BYTES (INT64_C(2) << 20)

struct event;

/* A task that is this worker's: it has a row in `inflight` until it is
 * settled. */
struct sclaim {
	struct broker_claim pub;
	TAILQ_ENTRY(sclaim) link;
	struct sbroker *broker;
	int64_t queue, number, priority, seq; /* as in the database */
	bool aside;			      /* was set aside, not waiting */
	/* The I/O thread's: its final record is a row; it was found on record,
	 * in the transaction under way. */
	bool recorded, found;
	bool settling; /* it ends by itself */
	bool lost;     /* the worker was told that it is not on record */
	bool doubted;  /* broker_doubt() awaits an answer */
	bool looked;   /* it is being looked for */
	char bytes[];
};
TAILQ_HEAD(sclaims, sclaim);

/* What a claim is in this store. It is the caller's to read; what the I/O thread
 * notes in it is its own. */
static inline struct sclaim *
sclaim_of(const struct broker_claim *claim)
{
	return (struct sclaim *)container_of(claim, const struct sclaim, pub);
}

/*
 * A queue of this worker. `more` is false only while the database has us wait
 * for the queue: its next change wakes us.
 */
struct squeue {
	const char *name;
	unsigned int wanted;
	bool more;	/* the queue may hold something */
	bool woken;	/* said again while a claim was under way */
	int64_t due_ms; /* wall clock: when to look for delayed ones; 0 */
	/* The claim's. */
	unsigned int asked;
	bool drained;	     /* no more is there: we will be woken */
	int64_t next_due_ms; /* of the delayed tasks; 0: none */
	bool limited;	     /* it had limits */
	/* pass.c: it is asked about, and was not among those that wait. */
	bool passing, passed;
};

/* One job at a time for each of these; `again`: one more has to follow. */
struct claiming {
	struct database_job job;
	bool under_way;
	struct sclaims found;
	size_t budget;
};

struct passing {
	struct database_job job;
	bool under_way, again;
};

struct settling {
	struct database_job job;
	bool under_way;
	struct pending_list waiting, sent;
	size_t count; /* in both */
};

/* Whether claims are still on record: all of them are looked for. */
struct doubting {
	struct database_job job;
	bool under_way, again;
	int64_t *numbers; /* of those that are looked for */
	bool *found;
	size_t n;
};

/* Becoming known: everything is decided in the job, and taken over when that is
 * committed. */
struct entering {
	struct database_job job;
	struct sclaims found;
	int64_t worker_id, last_order;
	int lock_fd;
	struct err refused; /* ERR_NONE: let in */
};

/* A worker that was seen dead; see takeover.c. */
struct suspect {
	int64_t worker_id;
	int64_t since_ms; /* monotonic */
};

struct beating {
	struct database_job job;
	bool under_way;
	struct buf description;
	struct suspect *suspects;
	size_t n_suspects;
	unsigned int asleep; /* queues that we wait for, by the database */
	bool late;	     /* the last one had run out */
	bool rival;	     /* another process has this worker's name */
	bool recall;	     /* it serves a name that was unknown */
};

/* Reading orders: those after `last` are read, in the order they were given. */
struct ordering {
	struct database_job job;
	bool under_way, again;
	int64_t last, newest;
	struct buf messages; /* each with its length (size_t) before it */
};

/*
 * Tasks of names that were unknown, and that this worker serves by now: a page
 * of those delayed is looked through, and then those of them that were found are
 * made due.
 */
#define SRECALL_MAX 500
struct srecall_place {
	int64_t due, number;
};
struct recalling {
	struct database_job look, move;
	bool under_way;
	bool fresh;	/* a queue is to be chosen: the next one that has … */
	int64_t behind; /* … such names, behind this one */
	int64_t queue;	/* 0: none has */
	struct buf names; /* of the queue, each with a head (recall.c) */
	struct srecall_place from, to; /* what the page lies behind, its end */
	int64_t until;		       /* what is due later is not looked at */
	bool last;		       /* no page follows */
	struct srecall_place found[SRECALL_MAX];
	size_t n_found;
	struct buf scratch;
};

/* Housekeeping: a step. */
struct stidying {
	struct database_job job;
	bool under_way;
	struct broker_limits limits;
	struct buf queue;	 /* that had its turn; empty: none */
	int64_t beyond, expired; /* that were deleted there */
	struct buf waits; /* of the tasks that others wait for, the last seen */
	struct buf uses;  /* the same of those that share something */
	bool more;	  /* to do */
	bool ours;	  /* this worker does it */
};

/* What housekeeping does about tasks that may be lost: one job at a time. */
struct slost_case;
struct slosing {
	struct database_job look, end;
	bool under_way;
	struct lost_suspects suspects;
	struct buf due; /* ids of those to look for, each with a NUL behind … */
	unsigned int taken; /* … so many; 0: a page of records is looked at */
	unsigned int pages; /* that may follow in this round */
	bool tasks;	    /* pages are of tasks; else of records */
	int64_t after;	    /* the row that the last page ended with */
	int64_t next;	    /* the same of this one */
	bool last;	    /* no more rows are behind it */
	int64_t ttl_s;	    /* of the records that end */
	STAILQ_HEAD(, slost_case) cases;
	size_t bytes; /* of their records */
};

struct sbroker {
	struct broker pub;
	struct broker_options opt;
	struct database_user user;

	/* Workers only. */
	struct squeue *queues;
	unsigned int n_queues;
	unsigned int wanted; /* of all of them */
	bool entered;	     /* this worker is known, its claims are taken up */
	int64_t worker_id;   /* in the database */
	int lock_fd;	     /* held while we live; -1 */
	struct sclaims claims;
	struct claiming claiming;
	struct settling settling;
	struct doubting doubting;
	struct entering entering;
	struct beating beating;
	struct ordering ordering;
	struct passing passing;
	struct recalling recalling;
	struct stidying tidying;
	struct slosing losing;
	int timer_fd; /* the next delayed task is due */
	struct event *timer;
	struct buf served; /* what it has registered, each name with a NUL */
	/* deputy_serve.c: its door, which is the I/O thread's until it is open, and
	 * whether the door's name is its own, which is always that thread's. */
	int door_fd;
	bool door_named;
	struct sdeputy_server *server; /* NULL: another worker's is open */

	/* Producers only; deputy.c. */
	bool asks;
	struct sdeputy *deputy; /* NULL: not needed yet */
};

/* --- claim.c ------------------------------------------------------------ */

void sclaim_init(struct sbroker *b);
/* Takes what it may. */
void sclaim_pump(struct sbroker *b);
/* Something may have come into any queue. */
void sclaim_wake(struct sbroker *b);
/* The database has us wait for `asleep` queues; looks, if it should be more. */
void sclaim_check(struct sbroker *b, unsigned int asleep);
/* Hands over what was found, and empties the list. */
void sclaim_deliver(struct sbroker *b, struct sclaims *found);
void sclaims_free(struct sclaims *claims);
/* One row of WAITING_FIRST or INFLIGHT_OF; NULL when memory runs out. */
struct sclaim *sclaim_from_row(struct sbroker *b, struct tx *tx,
			       enum statement_index row, struct err *err);
/* Whether a claim is on record: 1, 0, or -1 with *err. */
int sclaim_find_run(struct tx *tx, const struct broker_claim *claim,
		    struct err *err);
/* A task in flight with this worker goes back to its place in its queue. */
int sclaim_put_back_run(struct tx *tx, struct err *err, int64_t worker_id,
			const struct sclaim *c, int64_t priority,
			bool recovered);
void sbroker_want(struct broker *b, unsigned int queue, unsigned int n);
unsigned int sbroker_coming(const struct broker *b, unsigned int queue);
bool sbroker_idle(const struct broker *b);

/* --- together.c --------------------------------------------------------- */

/* Puts claims on record that were read from `waiting`, or were set aside. */
int sclaims_take_run(const struct sbroker *b, struct tx *tx,
		     const struct sclaims *claims, struct err *err);
/* Sorts claims, and sets `found` of those that are on record for sure; each other
 * one is to be looked for. */
int sclaims_find_run(struct tx *tx, struct sclaim **claims, size_t n,
		     struct err *err);
/* By their numbers. */
void sclaims_sort(struct sclaim **claims, size_t n);
/* Of sorted claims: those at the beginning that follow one another are done with.
 * *ret_dropped: how many; 0: not all of them are on record any more, and each is to be
 * looked for. */
int sclaims_drop_run(struct tx *tx, struct sclaim **claims, size_t n,
		     size_t *ret_dropped, struct err *err);

/* --- delay.c ------------------------------------------------------------ */

/* A task for later: at a time, or after a delay. */
struct sdelayed {
	int64_t queue, number, priority; /* as in the database */
	int64_t at_ms;			 /* 0: after delay_ms */
	int64_t delay_ms;
};
int sdelay_add_run(struct tx *tx, const struct sdelayed *d, struct err *err);
/* When the queue's next one is due, by the wall clock; 0: there is none. */
int sdelay_next_run(struct tx *tx, int64_t queue, int64_t *ret_due_ms,
		    struct err *err);
/* Moves due tasks behind those that wait. Returns how many, or -1. */
#define SDELAY_PROMOTE_MAX 100
int sdelay_promote_run(struct tx *tx, int64_t queue, struct err *err);
/* The next serial number of the queue, which is nobody else's from now on. -1 with
 * *err. */
int64_t sdelay_serial_run(struct tx *tx, int64_t queue, struct err *err);

/* --- limits.c ----------------------------------------------------------- */

struct slimits_answer {
	bool more;	 /* there was more to look at */
	int64_t next_ms; /* when a rate has room again that some wait for; 0:
			    none does */
};
/* Takes what may run of a queue with limits, and puts it on record: how many, or
 * -1. */
int slimits_claim_run(struct sbroker *b, struct tx *tx, unsigned int index,
		      int64_t queue, struct slimits_answer *ret,
		      struct err *err);

/* --- limits_leave.c ----------------------------------------------------- */

/* The name under which what a scope holds is set aside, behind what is in `name`.
 * 0, or -1 with *err. */
int slimits_name(struct buf *name, struct slice scope, struct err *err);
/* This row of `inflight` goes: who was held for it may have its turn. */
int slimits_leave_run(struct tx *tx, int64_t worker_id, int64_t number,
		      int64_t queue, struct err *err);
/* The rows of these claims do; wakes who waits for their queues. */
int slimits_leave_all_run(struct tx *tx, struct sclaim *const *claims, size_t n,
			  struct err *err);

/* --- settle.c ----------------------------------------------------------- */

void ssettle_init(struct sbroker *b);
void sbroker_settle(struct broker *b, struct broker_settle *settle);
size_t sbroker_unsettled(const struct broker *b);

/* --- tidy.c ------------------------------------------------------------- */

void stidy_init(struct sbroker *b);
void stidy_done_with(struct sbroker *b);
void sbroker_tidy(struct broker *b, const struct broker_limits *limits);

/* --- lost.c ------------------------------------------------------------- */

void slost_init(struct sbroker *b);
void slost_done_with(struct sbroker *b);
/* The dead lists are done, by this worker: lost tasks have their turn. */
void slost_begin(struct sbroker *b);

/* --- doubt.c ------------------------------------------------------------ */

void sdoubt_init(struct sbroker *b);
void sdoubt_all(struct sbroker *b);
void sbroker_drop(struct broker *b, struct broker_claim *claim);
void sbroker_doubt(struct broker *b, struct broker_claim *claim);
bool sbroker_is_sure(const struct broker *b, unsigned int queue);

/* --- worker.c ----------------------------------------------------------- */

void sworker_init(struct sbroker *b);
/* The file is open: makes this worker known and finds its claims. */
void sworker_enter(struct sbroker *b);
/* Looks for orders. */
void sworker_wake(struct sbroker *b);
void sworker_done(struct sbroker *b);
void sbroker_heartbeat(struct broker *b, struct slice description);
void sbroker_deregister(struct broker *b);

/* --- lanes.c ------------------------------------------------------------ */

/* Reads the first tasks, at most `n`, of the lanes that this worker can run, in
 * the order of their priority and age. */
int slanes_read_run(struct sbroker *b, struct tx *tx, int64_t queue, int64_t n,
		    struct sclaims *found, struct err *err);
/* Moves all of `from` to where their order wants them in `into`. */
void sclaims_merge(struct sclaims *into, struct sclaims *from);
/* A claim goes into the lane of `name`: how many changed, or -1; *ret_served
 * false: nobody can run it, and nothing was done but to note the name. */
int slanes_set_aside_run(struct tx *tx, const struct sclaim *c,
			 struct slice name, bool *ret_served, struct err *err);
/* Puts tasks back that no living worker can run. */
int slanes_reconcile_run(struct tx *tx, struct err *err);
/* What this worker can run, each name with a NUL; `only`: and nothing else. */
int slanes_serve_run(const struct sbroker *b, struct tx *tx, int64_t worker_id,
		     struct slice names, bool only, struct err *err);
/* Names that were met and nobody has, each with a NUL; the caller frees
 * them. */
int slanes_unknown_run(struct tx *tx, int64_t queue, struct slice *ret_names,
		       struct err *err);
void sbroker_served(struct broker *b, const struct broker_served *question,
		    broker_value_fn *on_value, void *arg);

/* --- recall.c ----------------------------------------------------------- */

void srecall_init(struct sbroker *b);
void srecall_done_with(struct sbroker *b);
/* Whether this worker serves a name that was unknown: 1, 0, or -1 with *err. */
int srecall_any_run(const struct sbroker *b, struct tx *tx, struct err *err);
/* Recalls the tasks of such names, in the background. */
void srecall_begin(struct sbroker *b);

/* --- takeover.c --------------------------------------------------------- */

/* Makes this process the one that is worker `id`: opens and locks its file.
 * Returns the descriptor, -1 with *err, or -2 if another process is. */
int stakeover_lock(struct tx *tx, int64_t id, struct err *err);
/* Takes over what dead workers left. */
int stakeover_run(struct sbroker *b, struct tx *tx, struct err *err);
/* Whether a worker's process is gone for sure. */
bool stakeover_is_dead(struct tx *tx, int64_t id);
/* Whether its process is there for sure, however long it has said nothing. */
bool stakeover_is_there(struct tx *tx, int64_t id);
/* Removes what processes that are gone left behind. */
int stakeover_sweep_run(struct tx *tx, struct err *err);

/* --- wake.c ------------------------------------------------------------- */

/* Wakes the workers that wait for the queue, which they do not any more then. */
int swake_queue_run(struct tx *tx, int64_t queue, struct err *err);
/* The same of `n` of them, for as many places that were freed. */
int swake_some_run(struct tx *tx, int64_t queue, size_t n, struct err *err);
/* Of each queue with limits that holds tasks, one: a worker that was woken for a place
 * may have died, or hang, before it looked. */
int swake_hung_run(struct tx *tx, struct err *err);

/* --- pass.c ------------------------------------------------------------- */

void spass_init(struct sbroker *b);
/* This worker was woken: where it wants nothing, another one is. */
void spass_on(struct sbroker *b);

/* --- registry.c --------------------------------------------------------- */

/* A question with one answer, or an order. */
struct squestion {
	struct database_job job; /* `run` fills in the answer */
	struct sbroker *broker;
	broker_value_fn *on_value;
	void *arg;
	struct buf value; /* the answer */
	bool found;
	size_t len;
	char text[]; /* what is asked, or said */
};
struct slice squestion_text(const struct squestion *q);
/* `job` has `run`, `reads` and `sync`. */
void squestion_ask(struct broker *broker, const struct database_job *job,
		   struct slice text, broker_value_fn *on_value, void *arg);

/* --- submit.c, registry.c ----------------------------------------------- */

/* What a submission by way of a worker has beside the task. */
struct ssubmit_bounds {
	int64_t max_queue_size;
	int64_t by_ms; /* monotonic: not after this time; 0: whenever */
};
void ssubmit_post(struct sbroker *b, const struct ssubmit_bounds *bounds,
		  struct broker_submit *batch, size_t n,
		  broker_submitted_fn *on_done, void *arg);
void sbroker_submit(struct broker *b, struct broker_submit *batch, size_t n,
		    broker_submitted_fn *on_done, void *arg);
/* number.c */
void sbroker_numbers(struct broker *b, unsigned int n,
		     broker_value_fn *on_value, void *arg);
void sbroker_register(struct broker *b, const struct slice *names,
		      const struct slice *descriptions, size_t n);
void sbroker_registered(struct broker *b, struct slice name,
			broker_value_fn *on_value, void *arg);
void sbroker_registered_names(struct broker *b, broker_names_fn *on_names,
			      void *arg);
void sbroker_registry(struct broker *b, broker_entries_fn *on_entries,
		      void *arg);
void sbroker_control(struct broker *b, struct slice message,
		     broker_value_fn *on_sent, void *arg);

#endif
