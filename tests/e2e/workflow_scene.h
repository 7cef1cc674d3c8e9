/* SPDX-License-Identifier: MIT */
/* What the tests of workflows share: how one stands, and its steps. */
#ifndef E2E_WORKFLOW_SCENE_H
#define E2E_WORKFLOW_SCENE_H

#include "e2e/exec_scene.h"
#include "e2e/operate_scene.h"

/* A member of what `workflow show --json` prints. */
const char *flow(struct world *w, const char *id, const char *path);
bool flow_is(struct world *w, const char *id, const char *state);
#define ck_flow(w, id, path, expected)                                         \
	ck_assert_str_eq(flow(w, id, path), expected)

/* A step's ID. */
const char *at(struct world *w, const char *id, const char *name);

/* Waits for its end. */
void ck_is_skipped(struct world *w, const char *id);

/* Submits a file with this text; returns the workflow's ID. */
const char *submit_file(struct world *w, const char *text, const char *options);

#endif
