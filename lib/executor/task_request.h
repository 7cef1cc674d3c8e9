/* SPDX-License-Identifier: MIT */
/*
 * What the processes of a command may ask of the worker, in the name of their
 * task: one line of JSON, an object, and one in answer.
 *
 * A task as core/task_options.def has it is submitted, and becomes a child of the
 * caller's: {"id":ID}. Another request says what it is:
 *
 * {"op":"wait","ids":[ID,...],"timeout":SECONDS}
 *	Waits until one of these tasks has ended; without a timeout as long as that
 *	takes. {"id":ID,"record":TEXT}.
 * {"op":"result","id":ID}
 *	The same, at once, with the record as it is.
 * {"op":"workflow","workflow":"begin","flow":ID,"label":TEXT,"on_failure":TEXT,
 *  "whole":true,"life":SECONDS}
 *	Begins a workflow (store/flow.h); only its ID must be there. {}.
 * {"op":"workflow","workflow":"seal","flow":ID}
 *	Seals it, or, with "cancel", cancels it. {"state":WORD}.
 * {"op":"progress","value":JSON}
 *	Becomes the progress in the record of the caller's task. {}.
 *
 * What fails is answered with {"code":EXIT_STATUS,"error":TEXT}, and "id" where it is
 * of one of the tasks.
 */
#ifndef EXECUTOR_TASK_REQUEST_H
#define EXECUTOR_TASK_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct task_env;

struct task_caller {
	const struct task_env *env;
	uint32_t number; /* of its task */
	int fd;		 /* its socket */
	/* Before and after it waits for other tasks, which may take as long as it
	 * likes; false: too many wait already. */
	bool (*wait_begins)(void *arg);
	void (*wait_ends)(void *arg);
	void *arg;
};

/* Tasks of one wait: their IDs, at most. */
#define TASK_REQUEST_IDS_MAX 1000

/* Does what the line says, and waits for it, in a thread of its own. NULL: the caller
 * is gone, or there is no memory. */
json_t *task_request(const struct task_caller *caller, struct slice line);

#endif
