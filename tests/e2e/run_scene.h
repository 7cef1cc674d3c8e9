/* SPDX-License-Identifier: MIT */
/* What the tests of flowrractl run share: a store of a user's own in the world's
 * directory, and the worker that is started for it. */
#ifndef TESTS_E2E_RUN_SCENE_H
#define TESTS_E2E_RUN_SCENE_H

#include "e2e/look.h"
#include "e2e/worker.h"

/* Before a command: where the user's own things are. No service manager. */
#define OWN                                                                    \
	"XDG_STATE_HOME=$PWD/own XDG_CONFIG_HOME=$PWD/config "                 \
	"XDG_RUNTIME_DIR=$PWD/none "

/* A world with nothing in it. */
struct world *own_world(void);
/* Ends the worker that runs there, if one does, and the world. */
void own_stop(struct world *w);
/* `flowrractl --user …` there. */
__attribute__((format(printf, 2, 3))) struct run *own(struct world *w,
						      const char *fmt, ...);
/* The process of the worker; 0: none runs. */
pid_t own_worker(struct world *w);
/* Whether a task has ended, in this status. */
bool own_is(struct world *w, const char *id, const char *status);
/* Lines of a file. */
size_t lines_of(struct world *w, const char *file);

#endif
