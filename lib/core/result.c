/* SPDX-License-Identifier: MIT */
/*
 * The states of a result record, and the first record of a task.
 *
 * Records are written by several processes, which may be late: a worker that
 * was taken for dead reports a task that another has finished. The table says
 * which states are final: a late record never replaces one of those.
 */
#include "core/result.h"

#include "core/task.h"

static const struct {
	struct slice text;
	bool final;
} statuses[] = {
#define X(name, status_text, is_final)                                         \
	[RESULT_##name] = {.text = {status_text, sizeof(status_text) - 1},     \
			   .final = (is_final)},
    RESULT_STATUSES(X)
#undef X
};

const char *
result_status_text(enum result_status status)
{
	return statuses[status].text.p;
}

/* A few words are found faster one by one than by a hash. */
int
result_status_parse(struct slice text, enum result_status *ret)
{
	size_t i;

	for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (slice_eq(text, statuses[i].text)) {
			*ret = (enum result_status)i;
			return 0;
		}
	}
	return -1;
}

bool
result_status_final(enum result_status status)
{
	return statuses[status].final;
}

/* What the submitter knows; the worker fills in the rest. Slices are the
 * task's. */
struct result
result_pending(const struct task *task)
{
	struct result pending = {
	    .task_id = slice_of(task->id),
	    .status = RESULT_PENDING,
	    .task_name = slice_of(task->name),
	    .submitted_us = task->submitted_us,
	    .args = task->args,
	    .kwargs = task->kwargs,
	};

	if (task->queue != NULL)
		pending.queue = slice_of(task->queue);
	pending.parent = task->parent;
	pending.root = task->root;
	if (task->flow.len > 0)
		pending.flow = task->flow;
	return pending;
}
