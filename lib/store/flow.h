/* SPDX-License-Identifier: MIT */
/*
 * Workflows: tasks that are steps of a whole, some of which wait for others. Part
 * of the contract of broker.h, whose rules hold: all calls return at once, callbacks
 * come from the loop.
 *
 * A step is a task, and its name within the workflow is the task's ID. It is added
 * by broker_submit() with `flow`; its pending record is stored with it. It goes to
 * its queue as soon as the steps that it comes after have ended as they have to;
 * when it is certain that one of them has not, it is skipped: it ends as failed,
 * for the reason BROKER_SKIPPED, without having run. A step has ended when its task
 * has ended for good, after all of its retries.
 *
 * A workflow is open until it is sealed, which says that no more steps come from
 * outside. It ends when it is sealed and all of its steps have ended; then its
 * callbacks go to their queues. What ends is kept for `life_s`, and is then gone.
 *
 * No count is kept of what is left, and each release of a step is noted with the
 * end that caused it, in one step of the store. So a process may die at any moment,
 * and any call may be made again: a step goes to its queue once.
 */
#ifndef STORE_FLOW_H
#define STORE_FLOW_H

#include "core/task.h"
#include "store/broker.h"

#define FLOW_LABEL_MAX 200 /* bytes of UTF-8 */
#define FLOW_LIFE_MAX_S TASK_DURATION_MAX_S
#define FLOW_CALLBACKS_MAX 100
/* A workflow that nobody has sealed, and in which nothing has happened for so long,
 * is cancelled: who began it is gone. */
#define FLOW_IDLE_S (7 * 24 * 3600)
/* A workflow in which nothing has happened for so long may need repair. */
#define FLOW_REPAIR_S 60

/* Whether text can be a workflow's ID: 1 to TASK_FLOW_MAX bytes of [A-Za-z0-9_.-]. */
bool flow_id_valid(struct slice text);

/* Whether text can be its label, which is shown to people. */
bool flow_label_valid(struct slice label);

/* What a failed step does to the others. */
enum flow_policy {
	FLOW_CONTINUE, /* those that come after its success are skipped */
	FLOW_CANCEL    /* the workflow is cancelled */
};
extern const char *const flow_policy_words[FLOW_CANCEL + 1];

/* X(name, word, has ended) */
#define FLOW_STATES(X)                                                         \
	X(OPEN, "open", false)		   /* steps may be added */            \
	X(RUNNING, "running", false)	   /* sealed */                        \
	X(CANCELLING, "cancelling", false) /* nothing more is released */      \
	X(SUCCEEDED, "succeeded", true)	   /* no step has failed */            \
	X(FAILED, "failed", true)                                              \
	X(CANCELLED, "cancelled", true)

enum flow_state {
#define X(name, word, has_ended) FLOW_##name,
	FLOW_STATES(X)
#undef X
};
const char *flow_state_word(enum flow_state state);
/* -1: there is no such state. */
int flow_state_parse(struct slice word, enum flow_state *ret);
bool flow_state_has_ended(enum flow_state state);

/* --- beginning and ending ------------------------------------------------ */

struct flow_begin {
	struct slice id;
	struct slice label; /* empty: none */
	enum flow_policy on_failure;
	/* Nothing is released before it is sealed: of one whose client dies before
	 * that, nothing has run. */
	bool whole;
	int64_t life_s; /* after its end */
};
/* Makes one; the value is empty. ERR_REFUSED: the ID is in use. */
void broker_flow_begin(struct broker *b, const struct flow_begin *begin,
		       broker_value_fn *on_value, void *arg);

/*
 * Seals it; and cancels it: no step that waits runs any more, each of them is
 * skipped, and those that run already go on. Cancelling seals, too. The value is the
 * word of the state that it is in then, also of one that had ended before.
 */
void broker_flow_seal(struct broker *b, struct slice flow,
		      broker_value_fn *on_value, void *arg);
void broker_flow_cancel(struct broker *b, struct slice flow,
			broker_value_fn *on_value, void *arg);

/*
 * A step's task has ended, and its final record is stored, but no worker has
 * settled it: it was cancelled, purged, deleted, or housekeeping has ended it. The
 * value is "1", or empty if the step had ended before.
 */
struct flow_end {
	struct slice flow, step;
	enum flow_outcome outcome;
};
void broker_flow_end_step(struct broker *b, const struct flow_end *end,
			  broker_value_fn *on_value, void *arg);

/*
 * Takes back the end of a step that has failed, so that its task can be put into its
 * queue again (broker_requeue(), which comes after this), and of all that were
 * skipped because of it, which wait once more; their IDs are the answer, that of the
 * step first. Their records are final, and are for the caller to reopen before the
 * task can run. An ended workflow runs again, cancelled or not.
 * ERR_REFUSED: it has not failed; or it was skipped because of another one.
 */
void broker_flow_reopen(struct broker *b, struct slice flow, struct slice step,
			broker_names_fn *on_names, void *arg);

/* --- looking -------------------------------------------------------------- */

/* Times are of the store's wall clock, in ms since 1970. Callbacks do not count as
 * steps. */
struct flow_info {
	char id[TASK_FLOW_MAX + 1];
	struct slice label;
	enum flow_state state;
	enum flow_policy on_failure;
	bool whole;
	int64_t begun_ms, moved_ms; /* moved: when something happened last */
	int64_t ended_ms;	    /* 0: it has not ended */
	int64_t life_s;
	int64_t steps;	  /* all; each of them is one of these: */
	int64_t waiting;  /* for others, or for the seal */
	int64_t released; /* in their queues, or in flight */
	int64_t ended[FLOW_OUTCOMES];
};
/* `flows` is NULL if err says why there is no answer. `next` is empty at the end of
 * a list. */
typedef void broker_flows_fn(const struct flow_info *flows, size_t n,
			     struct slice next, const struct err *err,
			     void *arg);
/* One; ERR_NOT_FOUND if there is none, or it is gone by now. */
void broker_flow_get(struct broker *b, struct slice flow,
		     broker_flows_fn *on_flows, void *arg);
/* A page of all, those that were begun last first; at most BROKER_PAGE_MAX. */
void broker_flow_list(struct broker *b, struct slice cursor, unsigned int n,
		      broker_flows_fn *on_flows, void *arg);

enum flow_place { FLOW_WAITS, FLOW_RELEASED, FLOW_ENDED };
struct flow_step {
	struct slice id;
	enum flow_role role;
	enum flow_place place;
	enum flow_outcome outcome;	  /* ENDED */
	const struct broker_after *after; /* as it was added */
	size_t n_after;
};
struct flow_page {
	const struct flow_step *steps;
	size_t n;
	struct slice next; /* empty: that was all */
};
/* `page` is NULL if err says why there is no answer. */
typedef void broker_steps_fn(const struct flow_page *page,
			     const struct err *err, void *arg);
/* A page of its steps and callbacks, in no order. Pages may be empty, and may
 * have what moves meanwhile twice. */
void broker_flow_steps(struct broker *b, struct slice flow, struct slice cursor,
		       unsigned int n, broker_steps_fn *on_page, void *arg);

/* --- repair ---------------------------------------------------------------- */

/*
 * What takes a task out of a store without a word to its workflow (a tool of another
 * version, a program that died before it had said it) leaves a step that never ends.
 * So who does the housekeeping asks for workflows in which nothing has happened for
 * FLOW_REPAIR_S, and looks at those of their steps that have been released: what has
 * a final record, or none any more, has ended, and broker_flow_end_step() says so.
 * When the workflow has ended, callbacks that have been released and have not ended are
 * looked at in the same way; but one without a record may not have begun.
 */

/* Whether that can be, with this store. */
bool broker_flow_may_hang(const struct broker *b);
/* IDs of some that are due for that, which nobody else is told for FLOW_REPAIR_S. A
 * store in which nothing can be left so has none. */
void broker_flow_stale(struct broker *b, broker_names_fn *on_names, void *arg);
/* Sends what should have left, and did not; then a page of those of its steps that
 * have been released and have not ended (FLOW_RELEASED), or of such callbacks. */
void broker_flow_repair(struct broker *b, struct slice flow,
			struct slice cursor, broker_steps_fn *on_page,
			void *arg);

/*
 * A step that has been released can be lost, as any task (lost.h), and its workflow
 * would wait for ever. While it waits for others it is in no queue either, and
 * broker_options.on_pending cannot tell one from the other: so where this is so, it
 * leaves steps alone, and broker_flow_missing() is asked about those that a repair
 * has found released.
 */

/* Whether that is so, with this store. */
bool broker_flow_hides_steps(const struct broker *b);
#define FLOW_MISSING_MAX 500
/* Which of these tasks are in no place of that queue, at most FLOW_MISSING_MAX: all places
 * are looked at in one step. */
struct flow_missing {
	struct slice queue;
	const struct slice *ids;
	size_t n;
};
void broker_flow_missing(struct broker *b, const struct flow_missing *ask,
			 broker_names_fn *on_names, void *arg);

/* --- implementations ------------------------------------------------------- */

/* Whether a store may look at a task that is to be a step: 0, or -1 with task->err. */
int flow_check_task(struct broker_submit *task);

/*
 * What a store provides. It is given only what flow.c has checked: IDs that are
 * valid, a label of UTF-8, and limits of 1 to BROKER_PAGE_MAX. Cursors are its own,
 * and it checks them.
 */
struct broker_flow_ops {
	void (*begin)(struct broker *, const struct flow_begin *begin,
		      broker_value_fn *on_value, void *arg);
	void (*seal)(struct broker *, struct slice flow,
		     broker_value_fn *on_value, void *arg);
	void (*cancel)(struct broker *, struct slice flow,
		       broker_value_fn *on_value, void *arg);
	void (*end_step)(struct broker *, const struct flow_end *end,
			 broker_value_fn *on_value, void *arg);
	void (*reopen)(struct broker *, struct slice flow, struct slice step,
		       broker_names_fn *on_names, void *arg);
	void (*get)(struct broker *, struct slice flow,
		    broker_flows_fn *on_flows, void *arg);
	void (*list)(struct broker *, struct slice cursor, unsigned int n,
		     broker_flows_fn *on_flows, void *arg);
	void (*steps)(struct broker *, struct slice flow, struct slice cursor,
		      unsigned int n, broker_steps_fn *on_page, void *arg);
	/* May be missing, both: nothing is ever left to repair. */
	void (*stale)(struct broker *, broker_names_fn *on_names, void *arg);
	void (*repair)(struct broker *, struct slice flow, struct slice cursor,
		       broker_steps_fn *on_page, void *arg);
	/* May be missing: steps are where all tasks are. */
	void (*missing)(struct broker *, const struct flow_missing *ask,
			broker_names_fn *on_names, void *arg);
};

#endif
