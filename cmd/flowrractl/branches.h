/* SPDX-License-Identifier: MIT */
/* The lines of a tree before the names of its rows. */
#ifndef FLOWRRACTL_BRANCHES_H
#define FLOWRRACTL_BRANCHES_H

#include <jansson.h>

/*
 * Gives each row a member "branch": what leads to it, and what its member `name` says.
 * Each row has "depth" and comes behind the one that it hangs on; one with "chained": true
 * goes on with the chain of the row above it.
 */
void branches_draw(json_t *rows, const char *name);

#endif
