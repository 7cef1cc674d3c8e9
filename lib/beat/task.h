/* SPDX-License-Identifier: MIT */
/* The task that a fire becomes, and its pending record. For lib/beat only. */
#ifndef BEAT_TASK_H
#define BEAT_TASK_H

#include <stdint.h>

#include "codec/registered.h"
#include "core/task.h"
#include "util/clock.h"

struct conf;
struct err;
struct schedule;
struct schedule_fire;

/* Appends the task of a fire, JSON. What the schedule leaves open is taken from
 * the task's module, then from the configuration. */
void fire_encode(const struct schedule *s, const struct registered *defaults,
		 const struct conf *conf, const char *task_id, int64_t now_us,
		 struct buf *out);

/* Appends the pending record of a fire's task. ERR_DATA if it is not a task. */
int fire_record(const struct schedule_fire *fire, enum clock_form times,
		struct buf *out, struct err *err);

#endif
