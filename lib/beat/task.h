/* SPDX-License-Identifier: MIT */
/* The task that a fire becomes, and its pending record. For lib/beat only. */
#ifndef BEAT_TASK_H
#define BEAT_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/task.h"

struct conf;
struct err;
struct schedule;
struct schedule_fire;

/* What the workers have registered of a task. */
struct defaults {
	char queue[TASK_QUEUE_MAX + 1];
	bool cpu_bound;
	int64_t max_retries;	/* or TASK_UNSET */
	int64_t retry_delay_us; /* or TASK_UNSET */
};

/* Reads an entry of the registry; an empty one stands for what nobody has
 * registered: queue "io", and all else as configured. */
int defaults_read(struct slice json, struct defaults *ret, struct err *err);

/* Appends the task of a fire, JSON. What the schedule leaves open is taken from
 * the task's module, then from the configuration. */
void fire_encode(const struct schedule *s, const struct defaults *defaults,
		 const struct conf *conf, const char *task_id, int64_t now_us,
		 struct buf *out);

/* Appends the pending record of a fire's task. ERR_DATA if it is no task. */
int fire_record(const struct schedule_fire *fire, struct buf *out,
		struct err *err);

#endif
