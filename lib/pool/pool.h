/* SPDX-License-Identifier: MIT */
/*
 * The pool: executors, and the jobs that they run.
 *
 * It starts executors, replaces those that die, gives each job to one that has
 * room, and tells its user what comes of the job. It knows no store, and no
 * more of a task than an executor has to be told. Not thread-safe: it lives on
 * one libevent loop and never blocks.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "util/buf.h"

struct conf_executor;
struct err;
struct event_base;
struct executor;
struct executor_exit;
struct handlers;
struct ipc_await;
struct ipc_done;
struct ipc_submit;
struct pool;
struct task;

/* --- jobs -------------------------------------------------------------- */

/* Where a job runs. */
enum pool_kind {
	POOL_THREAD, /* a blocking handler, in a thread of the io executor */
	POOL_ASYNC,  /* on the event loop of the io executor */
	POOL_CPU,    /* alone in a cpu executor */
	/* The same for commands: their executors load nothing but the module
	 * that runs commands. So no other module can harm them, nor they it. */
	POOL_COMMAND,
	POOL_CPU_COMMAND,
	POOL_ALONE, /* of the first two, alone in an executor that ends after it:
		      * see POOL_SUSPECT */
	POOL_ALONE_COMMAND,
	POOL_KINDS
};

/* The kind for running such a job alone; its own if it runs alone anyway. */
enum pool_kind pool_kind_alone(enum pool_kind kind);
/* Whether it is of those that pool_kind_alone() makes. */
bool pool_kind_is_alone(enum pool_kind kind);
/* Whether such jobs share an event loop. */
bool pool_kind_is_async(enum pool_kind kind);

/*
 * One run of a task. The user embeds it in its own struct, fills in the first
 * three, and hands it to pool_run(). It is the pool's until on_done,
 * on_returned or on_exit, which give it back.
 */
struct pool_job {
	const struct task *task; /* borrowed */
	/* A JSON object, or empty: one more of the keyword arguments, "env", of
	 * which the task itself has none. Borrowed. */
	struct slice environment;
	enum pool_kind kind;
	uint32_t number; /* in messages; see pool_events.find */
	/* For the executor, borrowed until pool_run() returns; may be empty. */
	struct slice traceparent, tracestate;
	/* The pool's own. */
	TAILQ_ENTRY(pool_job) link;
	struct executor *executor; /* NULL: not with the pool */
	bool started;		   /* the executor has said so */
	bool overdue;		   /* its executor is to be killed */
	bool waits;		   /* see pool_wait() */
};

/* What the end of its executor means for a job. */
enum pool_fate {
	POOL_OVERDUE,  /* pool_kill_for() was called for it */
	POOL_CRASHED,  /* it took the executor down, or kept it from answering:
			* it was named, or it ran alone */
	POOL_SUSPECT,  /* it, or another one that ran with it, did: it is to run
			* as POOL_ALONE */
	POOL_INNOCENT, /* it had not begun, or is known not to be the cause */
};

struct pool_exit {
	enum pool_fate fate;
	const char *executor; /* as in struct pool_member */
	const struct executor_exit *how;
	struct slice why; /* of POOL_CRASHED, where `how` does not tell */
};

/* What the pool tells its user. Texts are valid during the call only. */
struct pool_events {
	/* The job with this number, or NULL if there is none any more. */
	struct pool_job *(*find)(uint32_t number, void *arg);

	/* --- of a job that an executor has --- */
	void (*on_started)(struct pool_job *job, int64_t started_us, void *arg);
	/* JSON, checked. */
	void (*on_progress)(struct pool_job *job, struct slice json, void *arg);
	/* The handler logs, at a level of util/log.h, or prints a line. */
	void (*on_log)(struct pool_job *job, int level, struct slice text,
		       void *arg);
	void (*on_print)(struct pool_job *job, struct slice line, void *arg);
	/* The end of what its command has printed, before on_done. */
	void (*on_output)(struct pool_job *job, struct slice text, void *arg);
	/* It submits a task; answer with pool_submitted(). `executor` names the
	 * asker. */
	void (*on_submit)(struct pool_job *job, pid_t executor,
			  const struct ipc_submit *fixed, struct slice json,
			  void *arg);

	/* It waits for the end of a task; answer with pool_answer(). */
	void (*on_await)(struct pool_job *job, pid_t executor,
			 const struct ipc_await *fixed, struct slice id,
			 void *arg);
	/* It does so no more. */
	void (*on_forget)(struct pool_job *job, pid_t executor, uint32_t wait,
			  void *arg);

	/* --- the pool gives it back: it is with no executor any more --- */
	void (*on_done)(struct pool_job *job, const struct ipc_done *done,
			struct slice text, void *arg);
	/* It has not begun. */
	void (*on_returned)(struct pool_job *job, void *arg);
	void (*on_exit)(struct pool_job *job, const struct pool_exit *end,
			void *arg);

	/* --- of the pool --- */
	/* The first executor is up: pool_handlers() is known. */
	void (*on_ready)(void *arg);
	/* A reload is over: other handlers are in force (why is NULL; those of
	 * before go when this returns), or all stays as it was. */
	void (*on_reloaded)(const struct err *why, void *arg);
	/* Room may have changed, or the number of executors. */
	void (*on_change)(void *arg);
	/* An executor does not answer, or answers again: see pool_member. */
	void (*on_silent)(void *arg);
};

/* --- opening and closing ----------------------------------------------- */

/* What executors load; copied. */
struct pool_modules {
	const char *const *paths; /* absolute, NULL-ended */
	/* What is handed to them: a JSON object of objects, by module name.
	 * Executors run the code of others: it holds nothing that is not for
	 * the module of that name, above all no password of ours. Wiped when
	 * the pool is through with it. */
	const char *config;
	/* Which of `paths` runs commands, as it stands there; NULL: none. */
	const char *commands;
	/* What is wrong with tasks that are left out already, NULL-ended; they
	 * are told of like modules that cannot be loaded. May be NULL. */
	const char *const *refused;
	/* The same for the one that runs commands, whose executors get nothing
	 * else; NULL: as `config`. */
	const char *commands_config;
};

struct pool_options {
	struct event_base *base;
	const char *executor;		  /* path of flowrra-executor */
	const struct conf_executor *conf; /* copied */
	struct pool_modules modules;
	const struct pool_events *events;
	void *arg; /* of the events */
};

struct pool *pool_new(const struct pool_options *options, struct err *err);
/* Kills what still runs, and calls nobody back. Jobs are the user's. */
void pool_free(struct pool *p);

/*
 * Loads other modules in new executors; the old ones finish what they run.
 * on_reloaded follows. Returns -1 if a reload is under way already, or the pool
 * is starting or stopping.
 */
int pool_reload(struct pool *p, const struct conf_executor *conf,
		const struct pool_modules *modules, struct err *err);

/* Starts nothing more: what has not begun is returned, and each executor ends
 * when it has nothing left to do. */
void pool_stop(struct pool *p);
/* Kills all executors, after pool_stop(): no job is blamed for that. */
void pool_kill(struct pool *p);
/* Whether no executor is left. */
bool pool_is_empty(const struct pool *p);

/* An executor costs POOL_EXECUTOR_FILES descriptors, and while it is started
 * POOL_START_FILES more. */
#define POOL_EXECUTOR_FILES 5
#define POOL_START_FILES 6
/* What the pool needs at least: an io executor, one for commands where there are
 * some, else a successor, and one cpu executor. Further ones are started only if POOL_SPARE_FILES are left to the
 * rest of the process. */
#define POOL_FILES (3 * POOL_EXECUTOR_FILES + POOL_START_FILES)
#define POOL_SPARE_FILES 16

/* --- running ----------------------------------------------------------- */

/* Gives the job to an executor; false if none has room. */
bool pool_run(struct pool *p, struct pool_job *job);
/* Jobs of this kind wait for room: starts one more executor, unless those for it
 * are always there, one is coming up, or there are as many as there may be. */
void pool_start(struct pool *p, enum pool_kind kind);
/* Tells the handler to end. */
void pool_cancel(struct pool_job *job);
/* Passes a signal on to the command of a job that an executor has. */
void pool_signal(struct pool_job *job, int sig);
/*
 * The handler does not end by itself: its executor is killed, as soon as only
 * such jobs are left in it. Another executor takes its place at once.
 */
void pool_kill_for(struct pool_job *job);
/*
 * Gets jobs back that wait in an executor behind a long one. Returns whether to
 * look again in POOL_STUCK_MS.
 */
#define POOL_STUCK_MS 10
bool pool_unstick(struct pool *p);
/*
 * The job does nothing but wait for another one, so that what it waits for has room
 * to run: as long as it waits, it does not count among those of its kind. pool_resume()
 * ends that, when there is room for it again, or with `force` at once; false: there is
 * none yet. For commands, which share no threads.
 */
void pool_wait(struct pool_job *job);
bool pool_resume(struct pool_job *job, bool force);
/* Answers on_await; nothing happens if that executor is gone. */
struct pool_answer {
	pid_t executor;
	uint32_t job, request;
	int code; /* enum err_code; not 0: the text is why */
	struct slice text;
};
void pool_answer(struct pool *p, const struct pool_answer *answer);
/* Answers on_submit; nothing happens if that executor is gone. */
void pool_submitted(struct pool *p, pid_t executor, uint32_t job,
		    uint32_t request, const struct err *err);

/* --- what there is ----------------------------------------------------- */

/* How many more jobs of a kind can be given to executors, those included that
 * would be started for them. */
unsigned int pool_room(const struct pool *p, enum pool_kind kind);
/* Whether pool_run() would take one now. */
bool pool_has_room(const struct pool *p, enum pool_kind kind);
/* Whether an executor for this kind will be up soon. */
bool pool_is_starting(const struct pool *p, enum pool_kind kind);
/* Jobs of a kind that executors have. */
unsigned int pool_running(const struct pool *p, enum pool_kind kind);
/* Those of them that wait: see pool_wait(). */
unsigned int pool_waiting(const struct pool *p, enum pool_kind kind);
/* Jobs of a kind that can run at the same time. */
unsigned int pool_slots(const struct pool *p, enum pool_kind kind);
/* The handlers in force; NULL until the first executor is up. They last until
 * on_reloaded. */
const struct handlers *pool_handlers(const struct pool *p);
/* Why the executor that ended last did not come up, if it is known which module
 * it was loading: false otherwise, and when one has come up since. */
bool pool_start_failed(const struct pool *p, struct err *ret);
/* The modules in force, NULL-ended. */
const char *const *pool_modules(const struct pool *p);

/* All jobs that executors have, one after the other; NULL: the first; NULL:
 * that was the last. */
struct pool_job *pool_next_job(const struct pool *p,
			       const struct pool_job *job);
/* The same for executors. */
struct pool_member {
	pid_t pid;
	const char *kind; /* "io", "commands", "cpu" or "alone" */
	/* It, or its event loop, has not answered for so long; 0: it answers. */
	unsigned int silent_s;
	const struct pool_job *blocker; /* what keeps its loop; NULL: unknown */
};
const struct executor *pool_next_executor(const struct pool *p,
					  const struct executor *e,
					  struct pool_member *ret);

#endif
