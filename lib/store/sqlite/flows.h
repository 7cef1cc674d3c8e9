/* SPDX-License-Identifier: MIT */
/*
 * Workflows (store/flow.h) in the database: what becomes of their steps, always in
 * the transaction that brings it about.
 *
 *	flow_steps.c	steps are added, go on and end
 *	flow_spares.c	tasks that are in no queue
 *	flow_end.c	workflows end, by themselves or cancelled
 *	flow_calls.c	what is asked of workflows, and done to them
 *	flow_again.c	the end of a step is taken back
 *	flow_pages.c	lists of workflows, and of steps
 *
 * A step is a task, which may wait for others: waits.c has it go on, or skips it, and
 * tells here. It has a row in `steps` as long as its workflow is known, so that how it
 * has ended is known after its record is gone.
 *
 * Some rows of `waits` are for no task, but under names that no task can have: for
 * the seal of a workflow, and for the record of a step to be reopened.
 *
 * Functions named *_run run in the I/O thread, in a transaction, and return -1 with
 * *err if a statement failed.
 */
#ifndef STORE_SQLITE_FLOWS_H
#define STORE_SQLITE_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "sqlite/tx.h"
#include "store/broker.h"
#include "store/flow.h"
#include "store/sqlite/waits.h"

/* A row of `flows`. */
struct sflow {
	int64_t number;
	enum flow_state state;
	bool cancels; /* when a step fails */
	bool whole;
	int64_t life_s, moved_ms;
	int64_t next; /* the place of the step that is added next */
	int64_t waiting, released; /* steps that have not ended */
	int64_t failed;
};

/* `state` of a row of `steps`; how it has ended in the order of enum
 * flow_outcome. */
enum sstep_state {
	SSTEP_WAITING,
	SSTEP_RELEASED,
	SSTEP_SUCCEEDED,
	SSTEP_FAILED,
	SSTEP_SKIPPED,
	SSTEP_DROPPED /* a callback that was not called for */
};
struct sstep {
	int64_t flow, place;
	enum flow_role role;
	enum sstep_state state;
};

/* --- flow_steps.c -------------------------------------------------------- */

/* By its ID, or its number: 1, or 0 if there is none. */
int sflow_find_run(struct tx *tx, struct slice id, struct sflow *ret,
		   struct err *err);
int sflow_get_run(struct tx *tx, int64_t number, struct sflow *ret,
		  struct err *err);
int sstep_find_run(struct tx *tx, struct slice id, struct sstep *ret,
		   struct err *err);

/* Where records are elsewhere, no transaction has an end and what follows from it. */
#define SFLOW_APART                                                            \
	"workflows need their records in the same database ([backend] url)"
/* Whether a task can become a step, of *ret: else task->err is set, or
 * task->duplicate. */
int ssteps_check_run(struct tx *tx, struct broker_submit *task,
		     struct sflow *ret, struct err *err);
/* Whether it begins by waiting. */
bool ssteps_waits(const struct broker_submit *task, const struct sflow *flow);
/* The task of `row` waits until its workflow is sealed. */
int ssteps_await_seal_run(struct tx *tx, struct slice flow,
			  const struct swaits_row *row, struct err *err);
/* Adds one whose task the caller stores, and a callback, whose task is kept here. */
int ssteps_add_run(struct tx *tx, const struct broker_submit *task,
		   const struct sflow *flow, struct err *err);

/* The name under which tasks wait for the seal of a workflow, or for the record of a
 * step to be reopened. */
#define SSTEPS_NAME_SIZE (TASK_ID_MAX + 16)
struct slice ssteps_name_seal(char name[SSTEPS_NAME_SIZE], struct slice flow);
struct slice ssteps_name_reopen(char name[SSTEPS_NAME_SIZE], struct slice id);
/* The name of an end that stands for what is left to be skipped of a workflow, by its
 * number; whether that is one. */
struct slice ssteps_name_cancel(char name[SSTEPS_NAME_SIZE], int64_t flow);
bool ssteps_is_cancel(const char *name, int64_t *ret_flow);
/* As swaits_look() of waits.c: of such a name, and of a step without a record. */
bool ssteps_is_name(struct slice id);
int ssteps_look_run(struct tx *tx, struct slice id, struct swaits_end *end,
		    struct err *err);

/* Whether a task that has a final record is a step that has not ended: its end was
 * taken back (flow_again.c), a moment ago. */
int ssteps_taken_back_run(struct tx *tx, struct slice id, struct err *err);
/* A step goes on. */
int ssteps_release_run(struct tx *tx, const struct swaits_row *row,
		       struct err *err);
/* A task goes on though it waits for others: a person wants it so. */
int ssteps_hasten_run(struct tx *tx, struct slice id, struct err *err);
/* A step is skipped: its task is kept. `priority` is the task's. */
int ssteps_skip_run(struct tx *tx, const struct swaits_row *row,
		    int64_t priority, struct err *err);
/* A task has ended, or is gone. If it is a step, that ends, and its workflow may. */
int ssteps_end_run(struct swaits_work *w, struct tx *tx, struct slice id,
		   enum swaits_outcome outcome, struct err *err);
/* What a step comes after, of the column of that name: at most so many, and how many
 * there are. */
size_t ssteps_after_count(struct slice text);
size_t ssteps_after_read(struct slice text, struct broker_after *after);

/* --- flow_spares.c --------------------------------------------------------- */

/* Puts the task that was kept of a step into its queue; `held`: where tasks wait for
 * others. 1, with what a row of `waits` has of it; 0: none was kept. That of a
 * callback stays, since that may be called again. */
int ssteps_queue_run(struct tx *tx, const struct sstep *step, bool held,
		     struct swaits_row *ret, struct err *err);

/* --- flow_end.c ----------------------------------------------------------- */

/* A step has ended: so does its workflow, if all have. */
int sflow_look_run(struct tx *tx, int64_t flow, struct err *err);
/* Why steps of a cancelled one did not run. */
#define SFLOW_CANCELLED "did not run: its workflow was cancelled"
/* Nothing of it is released from now on. */
int sflow_cancel_run(struct tx *tx, struct sflow *flow, struct err *err);
/* Skips some of those that wait, if it is being cancelled; the rest is noted in *w. */
int sflow_skip_run(struct swaits_work *w, struct tx *tx,
		   const struct sflow *flow, struct err *err);
/* The same in a step of its own. */
int sflow_skip_some_run(struct tx *tx, int64_t flow, struct err *err);
/* When what is known of one that ends now is gone. */
int64_t sflow_gone_ms(const struct tx *tx, const struct sflow *flow);
/* Housekeeping. Returns whether there is more to be done at once. */
int sflow_sweep_run(struct tx *tx, struct err *err);

/* --- flow_again.c ----------------------------------------------------------- */

/* The record of a task says that it has not ended any more. */
int ssteps_reopened_run(struct tx *tx, struct slice id, struct err *err);
void sflow_reopen(struct broker *b, struct slice flow, struct slice step,
		  broker_names_fn *on_names, void *arg);
void sflow_stale(struct broker *b, broker_names_fn *on_names, void *arg);

/* --- flow_calls.c ------------------------------------------------------------ */

extern const struct broker_flow_ops broker_sqlite_flow;

/* Copies what fits, with a NUL behind it. */
void sflow_text(char *to, size_t size, struct slice from);
void sflow_begin(struct broker *b, const struct flow_begin *begin,
		 broker_value_fn *on_value, void *arg);
void sflow_seal(struct broker *b, struct slice flow, broker_value_fn *on_value,
		void *arg);
void sflow_cancel(struct broker *b, struct slice flow,
		  broker_value_fn *on_value, void *arg);
void sflow_end_step(struct broker *b, const struct flow_end *end,
		    broker_value_fn *on_value, void *arg);

/* --- flow_pages.c ------------------------------------------------------------ */

void sflow_get(struct broker *b, struct slice flow, broker_flows_fn *on_flows,
	       void *arg);
void sflow_list(struct broker *b, struct slice cursor, unsigned int n,
		broker_flows_fn *on_flows, void *arg);
void sflow_steps(struct broker *b, struct slice flow, struct slice cursor,
		 unsigned int n, broker_steps_fn *on_page, void *arg);
void sflow_repair(struct broker *b, struct slice flow, struct slice cursor,
		  broker_steps_fn *on_page, void *arg);

#endif
