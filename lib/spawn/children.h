/* SPDX-License-Identifier: MIT */
/* The children of this process, those included that it has adopted. */
#ifndef SPAWN_CHILDREN_H
#define SPAWN_CHILDREN_H

#include <stdbool.h>

/* Adopts what its descendants leave behind, instead of init; -1 with errno. */
int children_adopt(void);

/*
 * Kills all children, and reaps those that have ended. Returns whether there are
 * any left: then it is to be called again in a moment, since those whose parents
 * died become children now.
 */
bool children_kill(void);

#endif
