/* SPDX-License-Identifier: MIT */
/* What the tests of declared tasks share. */
#ifndef E2E_EXEC_SCENE_H
#define E2E_EXEC_SCENE_H

#include <stdbool.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"

/* An embedded world whose configuration has these sections. */
struct world *start(const char *config);
/* Changes them, and waits until the worker has loaded them. */
void reload(struct world *w, const char *config);

/* What `result --json` says of a task that has ended or still runs; "": it has no
 * record. */
const char *told(struct world *w, const char *id, const char *name);
bool is(struct world *w, const char *id, const char *name, const char *value);
/* Waits for the end of a task; returns its id. */
const char *end_of(struct world *w, const char *id);

#define ck_told(w, id, name, value)                                            \
	ck_assert_str_eq(told((w), (id), (name)), (value))
#define ck_told_part(w, id, name, part)                                        \
	do {                                                                   \
		const char *told_ = told((w), (id), (name));                   \
		ck_assert_msg(strstr(told_, (part)) != NULL,                   \
			      "no \"%s\" in: %s", (part), told_);              \
	} while (0)

#endif
