/* SPDX-License-Identifier: MIT */
/*
 * What workers have registered of a task, as JSON: what a submission has to
 * know of it. Workers know the rest themselves.
 */
#ifndef CODEC_REGISTERED_H
#define CODEC_REGISTERED_H

#include <stdbool.h>
#include <stdint.h>

#include "core/task.h"

struct err;

struct registered {
	char queue[TASK_QUEUE_MAX + 1];
	bool cpu_bound;
	bool text; /* words of a command line are strings, never JSON */
	/* Only max_retries and retry.delay_us are read: a task must say them
	 * when it is submitted. */
	struct task_settings settings;
};

/*
 * Reads an entry of the registry; an empty one stands for what nobody has
 * registered: queue "io", and all else as configured. ERR_DATA, but never for
 * an unknown member.
 */
int registered_decode(struct slice json, struct registered *ret,
		      struct err *err);

#endif
