/* SPDX-License-Identifier: MIT */
/* What workers have registered of a task. */
#include "codec/registered.h"

#include <string.h>

#include "codec/fields.h"
#include "util/err.h"

struct draft {
	struct slice queue;
	bool cpu_bound;
	int64_t max_retries;
	int64_t retry_delay_us;
};

#define FIELD(field, kind, member, ...)                                        \
	{                                                                      \
		.name = {field, sizeof(field) - 1}, .type = FIELD_##kind,      \
		.offset = offsetof(struct draft, member), __VA_ARGS__          \
	}

static const struct field fields[] = {
    FIELD("queue", TEXT, queue),
    FIELD("cpu_bound", BOOL, cpu_bound),
    FIELD("max_retries", WHOLE, max_retries, .min = -1, .max = 1e6),
    FIELD("retry_delay", SECONDS, retry_delay_us,
	  .max = TASK_DURATION_MAX_US / 1e6),
};

int
registered_decode(struct slice json, struct registered *ret, struct err *err)
{
	struct draft draft = {.max_retries = TASK_UNSET,
			      .retry_delay_us = TASK_UNSET};
	struct buf scratch = BUF_INIT;
	const struct fields_in in = {.table = fields,
				     .n = sizeof(fields) / sizeof(fields[0]),
				     .max_depth = TASK_DEPTH_MAX,
				     .scratch = &scratch};
	int result = 0;

	if (json.len > 0)
		result = fields_read(&in, json, &draft, err);
	if (result == 0) {
		*ret =
		    (struct registered){.cpu_bound = draft.cpu_bound,
					.max_retries = draft.max_retries,
					.retry_delay_us = draft.retry_delay_us};
		if (draft.queue.p == NULL ||
		    !task_name_valid(draft.queue, TASK_QUEUE_MAX))
			draft.queue =
			    draft.cpu_bound ? SLICE("cpu") : SLICE("io");
		memcpy(ret->queue, draft.queue.p, draft.queue.len);
	}
	buf_done(&scratch);
	return result;
}
