/* SPDX-License-Identifier: MIT */
/* Workflows of a stage: a worker who begins them, adds steps, and ends these. */
#ifndef TESTS_STORE_FLOW_SCENE_H
#define TESTS_STORE_FLOW_SCENE_H

#include "store/flow.h"
#include "store/stage.h"

struct flow_scene {
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
void flow_scene_open(struct flow_scene *s, int kind);
void flow_scene_close(struct flow_scene *s);
/* The worker's process dies, and starts again: what it had claimed comes again. */
void flow_scene_restart(struct flow_scene *s);

/* Makes "f", which must do. */
void flow_begin(struct flow_scene *s, enum flow_policy policy, bool whole);
enum err_code flow_begin_with(struct flow_scene *s,
			      const struct flow_begin *begin);
/* Each the state that they answer with; NULL: s->err says why there is none. */
const char *flow_seal(struct flow_scene *s);
const char *flow_cancel(struct flow_scene *s);
/* The answer; NULL as well. */
const char *flow_end_step(struct flow_scene *s, const char *id,
			  enum flow_outcome outcome);
const char *flow_reopen(struct flow_scene *s, const char *id);

/* Adds a step of "f"; `after` is such as "a,b:complete", or "". It must do. */
void flow_add(struct flow_scene *s, const char *id, const char *after);
/* The same with more to be said of it; the answer. */
enum err_code flow_add_with(struct flow_scene *s, const char *id,
			    const char *after,
			    const struct broker_submit *more);

/* Whether the worker has it, now. */
bool flow_is_claimed(const struct flow_scene *s, const char *id);
/* Waits until the worker has it, and ends it. */
void flow_finish(struct flow_scene *s, const char *id,
		 enum flow_outcome outcome);
/* Only stores its final record, or only settles it. */
void flow_store(struct flow_scene *s, const char *id,
		enum flow_outcome outcome);
void flow_settle(struct flow_scene *s, const char *id,
		 enum flow_outcome outcome);
/* What is queued behind all others has come: so has all that was released before. */
void flow_settle_down(struct flow_scene *s);

/* Looks at "f": s->info. */
const struct flow_info *flow_look(struct flow_scene *s);
/* Waits until it has that state. */
void flow_await(struct flow_scene *s, enum flow_state state);
/* Its steps: such as "a=succeeded b=waits c=released", in the order of their IDs. */
const char *flow_steps(struct flow_scene *s);
/* Waits for the record that says that it was skipped. */
void flow_ck_skipped(struct flow_scene *s, const char *id);

#endif
