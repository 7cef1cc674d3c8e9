/* SPDX-License-Identifier: MIT */
/*
 * What workers have registered of a task: the worker writes it when it starts,
 * and submitters read it to know the queue and the retries. They have no
 * modules of their own.
 */
#include "codec/registered.h"

#include <string.h>

#include "codec/fields.h"
#include "util/err.h"

/* The queue as a slice of the text that was read; struct registered has it as a
 * string of its own. */
struct draft {
	struct slice queue;
	struct slice arguments;
	bool cpu_bound;
	struct task_settings settings;
};

#define FIELD(field, kind, member, ...)                                        \
	{                                                                      \
		.name = {field, sizeof(field) - 1}, .type = FIELD_##kind,      \
		.offset = offsetof(struct draft, member), __VA_ARGS__          \
	}

static const struct field fields[] = {
    FIELD("queue", TEXT, queue),
    FIELD("cpu_bound", BOOL, cpu_bound),
    FIELD("max_retries", WHOLE, settings.max_retries, .min = TASK_UNSET,
	  .max = TASK_RETRIES_MAX),
    FIELD("retry_delay", SECONDS, settings.retry.delay_us,
	  .max = TASK_DURATION_MAX_S),
    FIELD("arguments", TEXT, arguments),
};

/*
 * Empty text is a task that no worker has registered yet; it may be submitted
 * all the same, with the defaults. A queue whose name is not valid is treated
 * as missing: the registry may have been written by another program, and a task
 * in a queue that cannot exist would never run.
 */
int
registered_decode(struct slice json, struct registered *ret, struct err *err)
{
	struct draft draft = {.settings = TASK_SETTINGS_UNSET};
	struct buf scratch = BUF_INIT;
	const struct fields_in in = {.table = fields,
				     .n = sizeof(fields) / sizeof(fields[0]),
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &scratch};
	int result = 0;

	if (json.len > 0)
		result = fields_read(&in, json, &draft, err);
	if (result == 0) {
		*ret = (struct registered){
		    .cpu_bound = draft.cpu_bound,
		    .text = draft.arguments.p != NULL &&
			    slice_eq(draft.arguments, SLICE("text")),
		    .settings = draft.settings};
		if (draft.queue.p == NULL ||
		    !task_name_valid(draft.queue, TASK_QUEUE_MAX))
			draft.queue =
			    draft.cpu_bound ? SLICE("cpu") : SLICE("io");
		memcpy(ret->queue, draft.queue.p, draft.queue.len);
	}
	buf_done(&scratch);
	return result;
}
