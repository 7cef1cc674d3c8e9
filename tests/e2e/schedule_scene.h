/* SPDX-License-Identifier: MIT */
/* What the tests of the command line's schedules share. */
#ifndef E2E_SCHEDULE_SCENE_H
#define E2E_SCHEDULE_SCENE_H

#include "e2e/look.h"
#include "e2e/worker.h"

/* A configuration with a database of schedules in the world's directory, and
 * these further lines, which may go on with the section [scheduler]. */
const char *schedule_config(struct world *w, const char *more);
/* A world with that configuration, and nothing further. */
struct world *schedule_world(void);
/* Writes a file into the world's directory. */
void put_file(struct world *w, const char *name, const char *text);

#endif
