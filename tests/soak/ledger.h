/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a run: what the broker has acknowledged, what was executed
 * when and where, and which faults can explain a second execution.
 *
 * Submissions may come from another thread; all else belongs to one.
 */
#ifndef TESTS_SOAK_LEDGER_H
#define TESTS_SOAK_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why an executor ended before its tasks did. */
enum cause {
	CAUSE_EXECUTOR_KILLED, /* by us; a cpu executor's task is counted */
	CAUSE_WORKER_KILLED,   /* and its executors with it; not counted */
	CAUSE_WORKER_STOPPED,  /* SIGTERM, and out of patience; not counted */
	CAUSE_CRASHED,	       /* a neighbour misbehaved */
	CAUSE_FROZEN,	       /* its worker said nothing; not counted */
	CAUSE_STUCK,	       /* stopped, and killed for it; not counted */
	CAUSE_FAILOVER,	       /* another server did not know of its end */
	CAUSE_RETRIED,	       /* no fault: its first attempt fails */
	CAUSE_COUNT
};
extern const char *const cause_names[CAUSE_COUNT];

/* One begun execution; times in µs, monotonic. */
struct execution {
	unsigned int attempt;
	pid_t pid;
	int64_t start_us;
	int64_t end_us; /* 0: it has no end */
};

#define TRAIT_CPU 1u	    /* runs in a cpu executor */
#define TRAIT_MISBEHAVES 2u /* its executor may die of it */
#define TRAIT_RETRIES                                                          \
	4u /* fails at first, LEDGER_RETRY_MS before its next                  \
	      attempt */
#define TRAIT_RECORD_ONLY 8u /* its handler writes nothing here */
#define LEDGER_RETRY_MS 400

struct ledger_task {
	char *id;
	bool acknowledged; /* else nobody knows if it was queued */
	unsigned int traits;
	int64_t due_us; /* not to be begun before; 0: at once */
	char *final;	/* its final record; NULL: not seen yet */
	struct execution *executions;
	size_t n;
};

struct ledger;

/* `path` is where the handlers write. */
struct ledger *ledger_new(const char *path);
void ledger_free(struct ledger *l);
const char *ledger_path(const struct ledger *l);

/* A task was offered to the broker. */
void ledger_submitted(struct ledger *l, const char *id, bool acknowledged,
		      unsigned int traits, int64_t due_us);
/* A process is about to be killed, or is found dead, now. */
void ledger_fault(struct ledger *l, pid_t pid, enum cause cause);
/* The same for a state, from then until now: what began in it is explained. For
 * CAUSE_FAILOVER `pid` is 0, for all. */
void ledger_fault_since(struct ledger *l, pid_t pid, enum cause cause,
			int64_t since_us);
/* The final record of the `i`th task. Returns false if another one was told
 * before: what is final must stay. */
bool ledger_final(struct ledger *l, size_t i, const char *record);

/* Reads what handlers have written since the last time. */
void ledger_read(struct ledger *l);
/* Executions that began, or that ended, so far, or at `us` and later. */
size_t ledger_started(const struct ledger *l, int64_t us);
size_t ledger_ended(const struct ledger *l, int64_t us);
/* Tasks begun in `pid` that have not ended. */
size_t ledger_unfinished(const struct ledger *l, pid_t pid);
/* When the last of the tasks that had been begun in one of these processes,
 * and had not ended, was begun elsewhere; 0: not all of them yet. */
int64_t ledger_gone_on(const struct ledger *l, const pid_t *pids, size_t n);

size_t ledger_count(const struct ledger *l);
const struct ledger_task *ledger_task_at(const struct ledger *l, size_t i);

/*
 * Why the `i`th (from 1) execution of a task was needed; CAUSE_COUNT: nothing
 * explains it. An execution that had ended `settle_us` before the fault was on
 * record and needed no other.
 */
enum cause ledger_explain(const struct ledger *l, const struct ledger_task *e,
			  size_t i, int64_t settle_us);

#endif
