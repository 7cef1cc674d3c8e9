/* SPDX-License-Identifier: MIT */
/*
 * A result record: what became of a task. One table of states.
 */
#ifndef CORE_RESULT_H
#define CORE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/clock.h"

struct task;

/*
 * X(name, text, final)
 * A final record is never changed, but for a retry that an operator asks for,
 * which makes it pending again. The others may follow one another in any order
 * but back to pending: a task may run more than once.
 */
#define RESULT_STATUSES(X)                                                     \
	X(PENDING, "pending", false)                                           \
	X(RUNNING, "running", false)                                           \
	X(SUCCESS, "success", true)                                            \
	X(FAILED, "failed", true)                                              \
	X(RETRYING, "retrying", false)

enum result_status {
#define X(name, text, final) RESULT_##name,
	RESULT_STATUSES(X)
#undef X
};

const char *result_status_text(enum result_status status);
/* Returns 0, or -1 when there is no such state. */
int result_status_parse(struct slice text, enum result_status *ret);
bool result_status_final(enum result_status status);

/* The reason of a record that housekeeping has ended, since its task was in no
 * place any more. It gives way to another one: the task was somewhere after all.
 * The record says so in a member of its own, too, for scripts. */
#define RESULT_LOST "lost"

/* How the command of a task ended, where it ran one. */
struct command_end {
	int exited;	   /* 1 + its exit code; 0: it has none */
	int signal;	   /* what killed it; 0: none */
	int64_t truncated; /* bytes of its output that are not in the result */
};

/*
 * The record. Empty slices (p == NULL) and zero times are written as null;
 * the fields from `queue` on are left out instead.
 */
struct result {
	struct slice task_id;
	enum result_status status;
	struct slice task_name;
	struct slice result;  /* JSON */
	struct slice error;   /* text */
	int64_t submitted_us; /* wall clock */
	int64_t started_us;
	int64_t finished_us;
	int64_t retries;
	struct slice args;   /* JSON; NULL: [] */
	struct slice kwargs; /* JSON; NULL: {} */
	struct slice queue;
	struct slice worker;
	int64_t attempts;	/* attempts that were begun; 0: left out */
	struct slice reason;	/* cancelled, expired, timeout, crashed, … */
	struct command_end end; /* of a final record, or a retry */
	struct slice progress;	/* JSON */
	struct slice output;	/* the end of what the last attempt printed */
	struct slice history;	/* JSON: attempts before it; empty: none */
	struct slice parent, root; /* as in struct task */
	struct slice flow;	   /* the workflow that it is a step of */
	enum clock_form times;	   /* how the times are written; not stored */
};

/*
 * The record of a task that is in its queue and was not claimed yet. Borrows
 * from the task. A caller that keeps the queue elsewhere sets `queue`.
 */
struct result result_pending(const struct task *task);

#endif
