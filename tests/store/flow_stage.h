/* SPDX-License-Identifier: MIT */
/* Workflows of a stage: a worker who begins them, adds steps, and ends these. */
#ifndef TESTS_STORE_FLOW_STAGE_H
#define TESTS_STORE_FLOW_STAGE_H

#include "store/flow.h"
#include "store/stage.h"

struct flow_stage {
	struct stage stage;
	struct party *worker;
	struct backend *results;
	/* The last answers. */
	bool answered;
	struct err err;
	char value[4096]; /* a word, or IDs with spaces between them */
	struct flow_info info;
	char label[FLOW_LABEL_MAX + 1];
	char next[64];
	size_t n;
};

/* A stage of that kind with a worker who wants all tasks of "io". */
void fstage_open(struct flow_stage *s, int kind);
void fstage_close(struct flow_stage *s);
/* The worker's process dies, and starts again: what it had claimed comes again. */
void fstage_restart(struct flow_stage *s);

/* Makes "f", which must do. */
void fstage_begin(struct flow_stage *s, enum flow_policy policy, bool whole);
enum err_code fstage_begin_with(struct flow_stage *s,
				const struct flow_begin *begin);
/* Each the state that they answer with; NULL: s->err says why there is none. */
const char *fstage_seal(struct flow_stage *s);
const char *fstage_cancel(struct flow_stage *s);
/* The answer; NULL as well. */
const char *fstage_end_step(struct flow_stage *s, const char *id,
			    enum flow_outcome outcome);
const char *fstage_reopen(struct flow_stage *s, const char *id);

/* Adds a step of "f"; `after` is such as "a,b:complete", or "". It must do. */
void fstage_add(struct flow_stage *s, const char *id, const char *after);
/* The same with more to be said of it; the answer. */
enum err_code fstage_add_with(struct flow_stage *s, const char *id,
			      const char *after,
			      const struct broker_submit *more);

/* Whether the worker has it, now. */
bool fstage_is_claimed(const struct flow_stage *s, const char *id);
/* Waits until the worker has it, and ends it. */
void fstage_finish(struct flow_stage *s, const char *id,
		   enum flow_outcome outcome);
/* Only stores its final record, or only settles it. */
void fstage_store(struct flow_stage *s, const char *id,
		  enum flow_outcome outcome);
void fstage_settle(struct flow_stage *s, const char *id,
		   enum flow_outcome outcome);
/* What is queued behind all others has come: so has all that was released before. */
void fstage_settle_down(struct flow_stage *s);

/* Looks at "f": s->info. */
const struct flow_info *fstage_look(struct flow_stage *s);
/* Waits until it has that state. */
void fstage_await(struct flow_stage *s, enum flow_state state);
/* Its steps: such as "a=succeeded b=waits c=released", in the order of their IDs. */
const char *fstage_steps(struct flow_stage *s);
/* Waits for the record that says that it was skipped. */
void fstage_ck_skipped(struct flow_stage *s, const char *id);

#endif
