/* SPDX-License-Identifier: MIT */
/*
 * Workflows of schedules: from what a schedule says (manager/schedule_flow.h) to
 * what a fire carries in the outbox, with all defaults filled in:
 *
 *	{"label": "nightly", "on_failure": "continue", "life": 259200,
 *	 "steps": [{"task": {a task as it goes to its queue}},
 *		   {"after": ["ID:success"], "delay_ms": 5000, "task": {...}},
 *		   {"on": "failure", "task": {...}}]}
 *
 * Each step stands behind those that it comes after. For lib/beat only.
 */
#ifndef BEAT_FLOW_FORM_H
#define BEAT_FLOW_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "codec/registered.h"
#include "core/task.h"
#include "util/buf.h"

struct conf;
struct err;
struct schedule;

/* A step as the schedule says it. Texts are those of the schedule, or lie in
 * `scratch`; what is not said is empty, 0 or TASK_UNSET. */
struct flow_form_step {
	struct slice id, queue, group, on, expires_at;
	struct slice args, kwargs, after, cpu_bound; /* JSON */
	const char *name;			     /* of its task */
	int64_t priority, delay_us;
	struct task_settings settings;
	struct registered defaults; /* the caller's to fill in */
	struct buf scratch;
};

/* Begin with zeroes. */
struct flow_form {
	struct slice label, on_failure;
	int64_t life_us; /* 0: not said */
	struct flow_form_step *steps;
	size_t n, cap;
	struct buf scratch;
};
/* Reads the workflow of a schedule, which must stay where it is. ERR_DATA: it makes
 * no sense; ERR_SYSTEM: no memory. */
int flow_form_read(struct flow_form *form, const char *workflow,
		   struct err *err);
void flow_form_done(struct flow_form *form);

/* For how long a workflow that has ended keeps a fire from being another one: as
 * long as the broker remembers the task of a fire. */
#define FLOW_FORM_LIFE_S (3 * 86400)

/* Appends what a fire of the schedule carries. ERR_DATA, or no memory. */
struct flow_fire {
	const struct schedule *schedule;
	const char *id; /* of the workflow */
	const struct conf *conf;
	int64_t now_us;
};
int flow_form_encode(const struct flow_form *form, const struct flow_fire *fire,
		     struct buf *out, struct err *err);

#endif
