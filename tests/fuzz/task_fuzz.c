/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the task decoder. What it takes must survive a retry with the
 * same fields, and jansson must be able to read its arguments.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "util/err.h"

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void
compare(const struct task *a, const struct task *b)
{
	must(same_text(a->id, b->id));
	must(same_text(a->name, b->name));
	must(same_text(a->queue, b->queue));
	must(slice_eq(a->args, b->args));
	must(slice_eq(a->kwargs, b->kwargs));
	must(a->priority == b->priority);
	must(a->cpu_bound == b->cpu_bound);
	must(a->max_retries == b->max_retries);
	must(a->retry.delay_us == b->retry.delay_us);
	must(a->retry.backoff == b->retry.backoff);
	must(a->retry.delay_max_us == b->retry.delay_max_us);
	must(a->retry.jitter == b->retry.jitter);
	must(a->timeout_us == b->timeout_us);
	must(a->submitted_us == b->submitted_us);
	must(a->expires_us == b->expires_us);
}

static void
check_jansson(struct slice part)
{
	json_error_t error;
	json_t *json = json_loadb(part.p, part.len, JSON_ALLOW_NUL, &error);

	must(json != NULL ||
	     json_error_code(&error) == json_error_numeric_overflow);
	json_decref(json);
}

/* With an attempt more, which has failed with the arguments as its error. */
static void
make_history(const struct task *task, struct buf *out)
{
	const struct attempt attempt = {.number = task->current_retry + 1,
					.started_us = task->submitted_us,
					.worker = SLICE("host:main"),
					.reason = SLICE("failed"),
					.error = task->args,
					.output = task->raw};

	/* And in the most room that there is. */
	history_add(task->history, &attempt, HISTORY_BYTES_MAX, out);
	must(!out->failed && out->len <= HISTORY_BYTES_MAX);
	check_jansson((struct slice){out->data, out->len});
	buf_reset(out);
	history_add(task->history, &attempt, HISTORY_BYTES, out);
	must(!out->failed && out->len <= HISTORY_BYTES);
	check_jansson((struct slice){out->data, out->len});
}

static void
check_retry(const struct task *task)
{
	struct task_counters counters = {
	    .current_retry = task->current_retry / 2 + 1,
	    .crashes = task->crashes / 2,
	    .suspected = task->unknown,
	    .unknown = task->suspected,
	    .unknown_since = task->unknown_since,
	};
	struct buf out = BUF_INIT, history = BUF_INIT;
	struct task *next;

	make_history(task, &history);
	counters.history = (struct slice){history.data, history.len};

	task_encode_again(task, &counters, &out);
	must(!out.failed);
	must(task_decode((struct slice){out.data, out.len}, &next, NULL) == 0);
	compare(task, next);
	must(next->current_retry == counters.current_retry);
	must(next->crashes == counters.crashes);
	must(next->suspected == counters.suspected);
	must(next->unknown == counters.unknown);
	must(next->unknown_since == counters.unknown_since);
	/* Empty: the task has something else under this name. */
	must(next->history.len == 0 ||
	     slice_eq(next->history, counters.history));
	must(out.len < task->raw.len + TASK_AGAIN_MAX);
	task_free(next);
	buf_done(&out);
	buf_done(&history);
}

/* Written again, only the fields that we know are left. */
static void
check_encode(const struct task *task)
{
	struct buf out = BUF_INIT;
	struct task *next;

	if (task->max_retries == TASK_UNSET ||
	    task->retry.delay_us == TASK_UNSET)
		return;
	task_encode(task, &out);
	must(!out.failed);
	must(task_decode((struct slice){out.data, out.len}, &next, NULL) == 0);
	compare(task, next);
	task_free(next);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct task *task;

	if (task_decode((struct slice){(const char *)data, size}, &task,
			&err) != 0) {
		must(err.code == ERR_DATA && err.msg[0] != '\0');
		return 0;
	}
	check_retry(task);
	check_encode(task);
	check_jansson(task->args);
	check_jansson(task->kwargs);
	task_free(task);
	return 0;
}
