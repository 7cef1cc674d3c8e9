/* SPDX-License-Identifier: MIT */
/* tasks show --tree. */
#ifndef FLOWRRACTL_SHOW_TREE_H
#define FLOWRRACTL_SHOW_TREE_H

#include <stddef.h>

struct ctl;

/* Prints the tree that the task is part of; ctl->client is open. `depth` is how many of
 * each list are looked at. Returns the exit status. */
int show_tree(struct ctl *ctl, const char *id, size_t depth);

#endif
