/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher, as its own files see it.
 *
 *	turn.c      asks for another turn; whether the worker stops
 *	job.c       jobs: their states, numbers and lists
 *	trace.c     spans of attempts
 *	keep.c      what tasks print, in files
 *	printing.c  what tasks print
 *	spool.c     finished work that the backend cannot take
 *	tally.c     counts of what has ended, for charts
 *	ending.c    the ways in which an attempt ends
 *	settle.c    a job gives its claim back, or drops it
 *	bury.c      what goes to the dead list, and why
 *	retry.c     whether there is another attempt, and when
 *	outcome.c   what follows from how an attempt ended
 *	unknown.c   tasks that no module here handles
 *	references.c  results of other steps, in arguments
 *	callback.c  what callbacks of workflows are told
 *	claim.c     a claim becomes a job, or goes where it belongs
 *	assign.c    jobs go to the pool as it has room; how much to claim
 *	timeout.c   timeouts and cancellation
 *	flow_ask.c  workflows that commands begin and seal
 *	submit.c    tasks that handlers submit
 *	describe.c  what the worker tells of itself
 *	metrics.c   what a monitor sees of it
 *	declare.c   limits that the configuration has
 *	idle.c      the end of a worker that has nothing to do
 *	mend.c      workflows that lack the end of a step
 *	mend_lost.c released steps that no queue has
 *	upkeep.c    what housekeeping has deleted from dead lists
 *	heartbeat.c tells others that the worker lives, and what it can run
 *	control.c   commands from outside
 *	run.c       what the pool says of jobs
 *	dispatch.c  opening, stopping, what the stores say, the end of a turn
 *
 * Each file calls those above it only; what happens below comes up through the
 * callbacks of the stores, the pool and the loop.
 *
 * A job is one claimed task. It waits (HELD) until the pool has room, is with
 * the pool (RUNNING) until that says what came of it, then its record is
 * being stored (STORING), then its claim settled (SETTLING). One list holds it
 * at any time; job_enter() moves it on. A job whose claim is another worker's
 * by now is `lost`: it is DROPPED, with nothing stored or settled, as soon as
 * nothing runs for it and no answer is due to it.
 */
#ifndef DISPATCH_STATE_H
#define DISPATCH_STATE_H

#include <event2/event.h>
#include <sys/queue.h>

#include "codec/task_json.h"
#include "core/result.h"
#include "core/trace_context.h"
#include "dispatch/dispatch.h"
#include "dispatch/keep.h"
#include "dispatch/spool_file.h"
#include "dispatch/tally.h"
#include "pool/handlers.h"
#include "pool/pool.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/conf.h"
#include "util/log.h"

TAILQ_HEAD(await_list, await);

/* X(name, states that may follow) */
#define JOB_STATES(X)                                                          \
	X(NEW, JOB_BIT(HELD) | JOB_ENDS)                                       \
	X(HELD, JOB_BIT(RUNNING) | JOB_ENDS)                                   \
	X(RUNNING, JOB_BIT(HELD) | JOB_ENDS)                                   \
	X(STORING, JOB_ENDS)                                                   \
	X(SETTLING, JOB_BIT(DROPPED))                                          \
	X(DROPPED, 0)

enum job_state {
#define X(name, next) JOB_##name,
	JOB_STATES(X)
#undef X
};
#define JOB_BIT(name) (1u << JOB_##name)
#define JOB_ENDS (JOB_BIT(STORING) | JOB_BIT(SETTLING) | JOB_BIT(DROPPED))

struct job {
	TAILQ_ENTRY(job) link; /* of held[], or of unsure */
	struct dispatch *dispatch;
	enum job_state state;
	struct pool_job run; /* its part of the pool */
	struct broker_claim *claim;
	struct task *task;
	const struct handler *handler;
	int64_t claimed_us;	  /* wall clock */
	int64_t held_ms;	  /* monotonic: since when it is held */
	int64_t started_us;	  /* wall clock; 0: not known to have started */
	struct event *kill_timer; /* tells, then kills; NULL: none */
	bool cancelled;		  /* a person wants it to end */
	bool lost;		  /* its claim is another worker's */
	bool fenced;		  /* its record is not stored before it is
				     known whether the claim is ours */
	bool noted;		  /* there may be a record that says it runs */
	/* Times that it had begun and was put back because of another job. */
	unsigned int disturbed;
	/* The `running` record, which is stored in passing. */
	struct results_put running;
	struct buf running_record;
	struct buf progress; /* JSON; empty: none */
	struct buf
	    output; /* the end of what this attempt prints: job_print() */
	bool output_is_set;   /* by job_set_output(): nothing is added */
	bool running_pending; /* a note is under way */
	bool running_again;
	/* The end. */
	struct command_end end;
	struct results_put put;
	struct buf record;
	struct broker_settle settle;
	struct buf retry_bytes;		 /* the task for a retry */
	struct buf info;		 /* for the dead list */
	struct tally_attempt attempt;	 /* counted when its record is stored */
	struct tally_cell *cell;	 /* where; NULL: it does not count */
	struct job_trace *trace;	 /* of this attempt; NULL: no span */
	char trace_id[TRACE_ID_LEN + 1]; /* for the log; "": none */
	struct keep_file *kept; /* what it prints; NULL: nothing is kept */
	/* Bytes that are not a task: NULL, or why (a reason of records) and
	 * what exactly. `task` then has what could be salvaged. */
	const char *refused;
	struct buf refusal;
	/* Arguments with the results of other steps in them; `referred`: they
	 * are there, or there is nothing to be put in. */
	struct buf args, kwargs;
	bool referred;
	bool called; /* a callback has been told of its workflow */
	/* Of await.c: the waits of its processes, and those without an answer. */
	LIST_HEAD(, await) awaits;
	unsigned int n_waits;
};
TAILQ_HEAD(job_list, job);

struct queue {
	char *name;
	enum pool_kind kind; /* of what it brought last */
	int64_t claimed_ms;  /* when it brought something */
	bool busy; /* it did, and was not found empty since (assign.c) */
};

/* What is known, and was said, of broker or backend. */
struct store_state {
	bool up;
	bool known;	    /* anything at all */
	bool lost;	    /* it will never let us in again */
	struct err trouble; /* what was logged last … */
	int64_t told_ms;    /* … and when; monotonic */
};

/* Attempts since the start, by how they ended. */
struct totals {
	int64_t succeeded;
	int64_t failed;	 /* for good */
	int64_t retried; /* failed, but not for good */
	int64_t crashed; /* of both */
};

/*
 * How far the worker has come in stopping; X(name, phases that may follow).
 * DRAINING lets tasks finish; KILLING has killed them, and waits for broker and
 * backend; ABANDONED waits for nothing any more; STOPPED was reported.
 */
#define STOP_PHASES(X)                                                         \
	X(RUNNING, PHASE_BIT(DRAINING))                                        \
	X(DRAINING, PHASE_BIT(KILLING) | PHASE_BIT(STOPPED))                   \
	X(KILLING, PHASE_BIT(ABANDONED) | PHASE_BIT(STOPPED))                  \
	X(ABANDONED, PHASE_BIT(STOPPED))                                       \
	X(STOPPED, 0)

enum stop_phase {
#define X(name, next) PHASE_##name,
	STOP_PHASES(X)
#undef X
};
#define PHASE_BIT(name) (1u << PHASE_##name)

/* What was deleted from dead lists: since the log said so last, and, by queue,
 * since it was counted last. */
struct upkeep_count {
	struct upkeep_count *next;
	int64_t beyond, expired;
	char queue[];
};
struct upkeep {
	int64_t beyond, expired, lost;
	int64_t told_ms; /* monotonic; 0: never */
	struct upkeep_count *counts;
	unsigned int n_counts;
};

struct dispatch {
	struct dispatch_options opt;
	const struct conf *conf;
	struct broker *broker;
	struct results *results;
	bool one_store;	   /* broker and backend are the same */
	bool claims_count; /* records may follow from claims */
	struct queue *queues;
	unsigned int n_queues;
	struct pool *pool;
	const struct conf *next_conf; /* of a reload under way */
	/* Of await.c: answers that wait for a slot, and how many jobs wait. */
	struct await_list awaits_due;
	unsigned int n_waiting[POOL_KINDS];
	struct job_list held[POOL_KINDS];
	unsigned int n_held[POOL_KINDS];
	/* Jobs by number: the low bits index, the high bits tell old from new.
	 */
	struct job **jobs;
	uint32_t n_jobs, cap_jobs, serial;
	uint32_t free_hint;
	/* Recovered jobs of which the backend cannot say if they are over, or
	 * that came before any executor. */
	struct job_list unsure;
	struct event *ask_again;
	/* There was no memory for a job of theirs: they wait for some. */
	struct broker_claim_list untaken;
	struct spool_file *spool;
	struct event *outage; /* of the backend has lasted for a while */
	bool spooling;
	bool announced;	  /* on_ready was called */
	bool announcing;  /* it is being confirmed that others see us */
	struct buf event; /* that is being told */
	unsigned int beats;
	struct upkeep upkeep;
	struct {
		struct declare_item *items; /* that wait for their answers */
		bool wanted;		    /* when these are there */
		/* The store knows what the configuration says. */
		bool told;
		bool awaited; /* it is being told */
	} declare;
	struct mend *mend; /* NULL: none was needed yet */
	struct {
		int64_t since_ms; /* monotonic: with nothing to do; 0: never */
		bool looking;	  /* for the last time */
	} idle;
	struct cancelled_ids *cancelled_ids; /* cancelled before they came */
	bool quiet;			     /* told to claim nothing more */
	enum stop_phase phase;
	int64_t started_us; /* wall clock */
	struct totals totals;
	struct tally *tally;
	struct exporter *exporter; /* of spans; NULL: none */
	struct timer *trace_look;  /* during a stop: whether it has sent all */
	int64_t trace_until_ms;	   /* monotonic; 0: not awaited yet */
	struct keep *keep;	   /* of output; NULL: not needed yet */
	bool keep_failed;	   /* the log knows */
	struct {
		int64_t asked_us; /* monotonic; 0: no question is under way */
		int64_t rtt_us;	  /* of the last answer; negative: none */
	} meter;
	struct {
		int64_t n;	/* that have ended, well or not */
		struct err why; /* ERR_NONE: the last one went well */
	} reloads;
	struct err failure; /* why it stops by itself */
	struct event *turn; /* the end of this turn of the loop */
	bool turn_comes;    /* that event is active: once is enough */
	struct event *heartbeat;
	struct event *stall; /* looks for jobs that are stuck behind others */
	/* Busy queues that take turns; see assign.c. */
	struct event *rotate;
	unsigned int first[POOL_KINDS]; /* whose turn it is */
	struct event *stop_deadline;	/* ends DRAINING, and then KILLING */
	struct store_state broker_state, results_state;
};

/* --- turn.c ------------------------------------------------------------ */

/* Something changed: assign, claim and count again at the end of this turn. */
void dispatch_turn(struct dispatch *d);
bool dispatch_is_stopping(const struct dispatch *d);
/* The life of a final record. */
int64_t dispatch_ttl_s(const struct dispatch *d);

/* --- job.c ------------------------------------------------------------- */

/* Gives it a number; -1 if there is no memory for one more. */
int job_number(struct dispatch *d, struct job *job);
/* The job with this number, or NULL if it is gone. */
struct job *job_find(struct dispatch *d, uint32_t number);
struct job *job_of(struct pool_job *run);
void job_enter(struct job *job, enum job_state next);
/* What a line of the log about the job is about. */
struct log_subject job_subject(const struct job *job);
#define log_job(job, level, ...)                                               \
	do {                                                                   \
		const struct log_subject about_ = job_subject(job);            \
		log_about((level), &about_, __VA_ARGS__);                      \
	} while (0)
/* Waits (again) for an executor; `first` before all others. A cancelled one
 * has no more to wait for: see outcome_cancelled(). */
void job_hold(struct job *job, bool first);
/* Takes it off the list of held jobs, if it is there. */
void job_unlink(struct job *job);
/* It has printed or logged a line; the end of it all is kept. */
void job_print(struct job *job, struct slice line);
/* All that is kept of it, as its executor says: of a command. */
void job_set_output(struct job *job, struct slice text);
/* Its time does not count any more. */
void job_disarm(struct job *job);
/* Settled: frees it. */
void job_free(struct job *job);

/* --- trace.c ----------------------------------------------------------- */

/* An exporter that cannot be opened is told, and missing. */
void trace_open(struct dispatch *d);
void trace_close(struct dispatch *d);
/* Whether a stop has to wait for spans that have not arrived: for a second at
 * most. */
bool trace_holds_stop(struct dispatch *d);
/* The task was claimed: lines of the log are about its trace. */
void trace_claim(struct job *job);
/* It is about to be given to an executor: what that is told, job->run. */
void trace_assign(struct job *job);
/* Its attempt has ended (ending.h). */
struct ending;
void trace_end(struct job *job, const struct ending *ending, bool again);

/* --- printing.c ---------------------------------------------------------- */

/* It has printed a line, or logged one: the end of it all goes into its record, and
 * more is kept, if that is wanted ([worker] keep_output). */
void printing_take(struct job *job, enum capture_stream stream,
		   struct slice line);
/* Its attempt has ended. */
void printing_end(struct job *job);
void printing_close(struct dispatch *d);

/* --- spool.c ----------------------------------------------------------- */

int spool_open(struct dispatch *d, struct err *err);
void spool_close(struct dispatch *d);
/* The backend came into reach, or went out of it. */
void spool_state(struct dispatch *d, bool up);
/* The backend will never be in reach again: to disk with all, at once. */
void spool_lost(struct dispatch *d);
/* The job's final record is on its way to the backend. */
void spool_storing(struct job *job);
/* At the end of a turn: what is stored need not be spooled. */
void spool_turn(struct dispatch *d);

/* --- references.c ------------------------------------------------------ */

/* Whether the arguments have references to results (codec/flow_args.h). */
bool references_wanted(const struct job *job);
/*
 * Puts the results in; then `done` is called, with NULL or with why not: ERR_DATA if
 * that cannot be, else it may be tried again. The job is NEW until then.
 */
typedef void references_fn(struct job *job, const struct err *err);
void references_fetch(struct job *job, references_fn *done);

/* --- callback.c -------------------------------------------------------- */

/* Whether it is a callback of a workflow that has not been told of that. */
bool callback_wanted(const struct job *job);
/* Tells it, in its keyword arguments; as references_fetch(). */
void callback_fetch(struct job *job, references_fn *done);

/* --- unknown.c --------------------------------------------------------- */

/* No module of this worker handles it: it is set aside for others, or, when
 * there have been none for [worker] unknown_after, fails. */
void unknown_take(struct job *job);

/* --- claim.c ----------------------------------------------------------- */

void claim_take(struct dispatch *d, struct broker_claim *claim);
/* Asks the backend once more about jobs that it could not say anything of. */
void claim_ask_again(struct dispatch *d);
/* Makes jobs of the claims that there was no memory for. */
void claim_take_again(struct dispatch *d);
/* Other handlers are in force: what is held finds its new one. */
void claim_reroute(struct dispatch *d);

/* --- assign.c ---------------------------------------------------------- */

/* Gives held jobs to the pool. */
void assign_jobs(struct dispatch *d);
/* Tells the broker how many more are wanted. */
void assign_wants(struct dispatch *d);
/* Gets jobs back that are stuck, and releases what cannot run here. */
void assign_unstick(struct dispatch *d);

/* --- timeout.c ----------------------------------------------------------- */

/* An executor has it: its timeout counts from now, until it is known when it
 * has started. */
void timeout_assign(struct job *job);
/* It has started: its timeout counts from then. */
void timeout_start(struct job *job);
/* A person wants it to end, whatever it does now. */
void timeout_cancel(struct job *job);
/* It runs, and must not: the handler is told to end, and then killed. */
void timeout_end(struct job *job);

/* --- flow_ask.c -------------------------------------------------------- */

struct submit_request;
/* Whether what a command asks is about a workflow, {"workflow": "begin", "flow": ID,
 * …}, and no task. */
bool flow_ask_is_one(struct slice json);
/* Does so, and answers. */
void flow_ask_for(struct dispatch *d, const struct submit_request *asker,
		  struct slice json);

/* --- submit.c ---------------------------------------------------------- */

/* Who asks, and how the question is named. */
struct submit_request {
	pid_t executor;
	uint32_t job;
	uint32_t number;
};
/* Submits a task (JSON), and answers. */
void submit_for(struct dispatch *d, const struct submit_request *request,
		struct slice json);

/* --- await.c ----------------------------------------------------------- */

/* Answers the job's handler, or command, when the task has ended, or why that cannot
 * be. */
void await_for(struct job *job, const struct submit_request *asker,
	       struct slice id, const struct ipc_await *fixed);
/* The wait is over without an answer. */
void await_forget(struct job *job, uint32_t wait);
/* Answers those that have a slot again, before other jobs get it. */
void await_resume(struct dispatch *d);
/* The job has no handler any more. */
void await_drop(struct job *job);
void await_drop_all(struct dispatch *d);

/* --- stop.c ------------------------------------------------------------- */

int stop_open(struct dispatch *d, struct err *err);
/* At the end of each turn: whether a stop has nothing left to wait for. */
void stop_check(struct dispatch *d);
/* The worker cannot go on: a store will never let it in again. */
void stop_fail(struct dispatch *d, const struct err *why);

/* --- describe.c -------------------------------------------------------- */

void describe_worker(const struct dispatch *d, struct buf *out);

/* --- mend.c ------------------------------------------------------------ */

/* Looks for workflows in which nothing happens any more; does nothing while the last
 * look goes on. */
void mend_turn(struct dispatch *d);
void mend_close(struct dispatch *d);

/* --- upkeep.c ----------------------------------------------------------- */

/* Has the broker do its housekeeping, and says what it has come to. */
void upkeep_turn(struct dispatch *d);
void upkeep_note(struct dispatch *d, const struct broker_trimmed *trimmed);
/* Reads a record that is not final: appends the queue of its task, and the record with
 * which that ends if it is lost. false: it is not understood, or, unless `of_steps`, is
 * that of a step of a workflow. */
bool upkeep_read_lost(const struct dispatch *d, struct slice record,
		      bool of_steps, struct buf *queue, struct buf *ended);
/* As broker_options.on_pending. */
bool upkeep_read_pending(struct slice record, struct buf *queue,
			 struct buf *ended, void *arg);
void upkeep_close(struct dispatch *d);

/* --- declare.c ----------------------------------------------------------- */

/* Tells the store of the limits that the configuration has; anew: it may be another
 * one than before. */
void declare_limits(struct dispatch *d, bool anew);
/* The same, if it was put off. */
void declare_turn(struct dispatch *d);
/* Whether no task is to be asked for until the answers are there. */
bool declare_is_awaited(const struct dispatch *d);
void declare_close(struct dispatch *d);

/* --- metrics.c ----------------------------------------------------------- */

/* With each heartbeat: measures how long the broker takes, if that is served. */
void metrics_measure(struct dispatch *d);

/* --- idle.c ------------------------------------------------------------- */

/* To be called now and then. */
void idle_turn(struct dispatch *d);

/* --- heartbeat.c -------------------------------------------------------- */

int heartbeat_open(struct dispatch *d, struct err *err);
/* Tells the broker, which has come into reach, that and what we are. */
void heartbeat_arrive(struct dispatch *d);
void heartbeat_register(struct dispatch *d);
void heartbeat_send(struct dispatch *d);
/* Calls on_ready, once, when others can see the worker. */
void heartbeat_announce(struct dispatch *d);

/* --- control.c ----------------------------------------------------------- */

/* A message from outside, which may be malformed. */
void control_take(struct dispatch *d, struct slice message);

/* --- run.c ------------------------------------------------------------- */

/* What the pool calls; its arg is the dispatcher. */
extern const struct pool_events run_events;

#endif
