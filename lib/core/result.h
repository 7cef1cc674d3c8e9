/* SPDX-License-Identifier: MIT */
/*
 * A result record: what became of a task. One table of states.
 */
#ifndef CORE_RESULT_H
#define CORE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct task;

/*
 * X(name, text, final, states that may follow, as a set of bits)
 * A finished record is never changed, but for a retry that a person asks for.
 */
#define RESULT_STATUSES(X)                                                     \
	X(PENDING, "pending", false,                                           \
	  RESULT_BIT(RUNNING) | RESULT_BIT(SUCCESS) | RESULT_BIT(FAILED) |     \
	      RESULT_BIT(RETRYING))                                            \
	X(RUNNING, "running", false,                                           \
	  RESULT_BIT(RUNNING) | RESULT_BIT(SUCCESS) | RESULT_BIT(FAILED) |     \
	      RESULT_BIT(RETRYING))                                            \
	X(SUCCESS, "success", true, 0)                                         \
	X(FAILED, "failed", true, RESULT_BIT(PENDING))                         \
	X(RETRYING, "retrying", false,                                         \
	  RESULT_BIT(RUNNING) | RESULT_BIT(SUCCESS) | RESULT_BIT(FAILED) |     \
	      RESULT_BIT(RETRYING))

enum result_status {
#define X(name, text, final, next) RESULT_##name,
	RESULT_STATUSES(X)
#undef X
};
#define RESULT_BIT(name) (1u << RESULT_##name)

const char *result_status_text(enum result_status status);
/* Returns 0, or -1 when there is no such state. */
int result_status_parse(struct slice text, enum result_status *ret);
bool result_status_final(enum result_status status);
bool result_status_may_follow(enum result_status from, enum result_status to);

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
	int64_t attempts;      /* attempts that were begun; 0: left out */
	struct slice reason;   /* cancelled, expired, timeout, crashed, … */
	struct slice progress; /* JSON */
};

/*
 * The record of a task that is in its queue and was not claimed yet. Borrows
 * from the task. A caller that keeps the queue elsewhere sets `queue`.
 */
struct result result_pending(const struct task *task);

#endif
