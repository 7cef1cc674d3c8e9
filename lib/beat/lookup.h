/* SPDX-License-Identifier: MIT */
/*
 * What a decision has to know beside the schedule: what the workers have
 * registered of its task, and whether its last task has finished. Decisions
 * are made inside a transaction, where nobody may be asked. So they look here;
 * what is not known yet is noted, asked when the transaction is over, and the
 * schedule, which is due still, claimed once more. For lib/beat only.
 */
#ifndef BEAT_LOOKUP_H
#define BEAT_LOOKUP_H

#include <stdbool.h>

#include "beat/task.h"

struct broker;
struct lookup;
struct results;

struct lookup_options {
	struct broker *broker;
	struct results *results;
	/* All that was noted when lookup_ask() was called is answered. */
	void (*on_answers)(void *arg);
	void *arg;
};

/* NULL when memory runs out. */
struct lookup *lookup_new(const struct lookup_options *options);
void lookup_free(struct lookup *l);

enum lookup_state {
	LOOKUP_NOTED,  /* it will be asked */
	LOOKUP_FAILED, /* nobody could tell: try again later */
	LOOKUP_KNOWN
};

enum lookup_state lookup_defaults(struct lookup *l, const char *task,
				  struct registered *ret);
/*
 * What became of a task; good for a moment only. A task whose record is not
 * final and which is in no place of its queue is MISSING, which may mean that it
 * just moved; and LOST if that is so once more, later, with the same record.
 */
enum fate {
	FATE_NO_RECORD,
	FATE_UNFINISHED,
	FATE_MISSING,
	FATE_LOST,
	FATE_FINISHED
};
enum lookup_state lookup_fate(struct lookup *l, const char *task_id,
			      enum fate *ret);
/* The same by its record alone: a task whose record is not final is
 * UNFINISHED. */
enum lookup_state lookup_record(struct lookup *l, const char *task_id,
				enum fate *ret);

/* The same of a workflow. */
enum lookup_state lookup_flow(struct lookup *l, const char *id, enum fate *ret);

/* Asks what was noted. False: nothing was, on_answers() will not be called. */
bool lookup_ask(struct lookup *l);
/* Whether there are answers to wait for. */
bool lookup_asking(const struct lookup *l);

#endif
