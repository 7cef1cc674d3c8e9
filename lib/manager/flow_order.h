/* SPDX-License-Identifier: MIT */
/* An order of steps in which each stands behind those that it needs. */
#ifndef MANAGER_FLOW_ORDER_H
#define MANAGER_FLOW_ORDER_H

#include <stddef.h>
#include <sys/types.h>

/* Which steps, numbered from 0, need which others. Begin with zeroes. */
struct flow_needs {
	struct flow_needs_pair {
		size_t step, needed;
	} * pairs;
	size_t n, cap;
};
/* -1: no memory. */
int flow_needs_add(struct flow_needs *needs, size_t step, size_t needed);
void flow_needs_done(struct flow_needs *needs);

/*
 * Puts `n` steps in order, those without needs first, as they are numbered, and
 * returns how many have a place in it: all but those in circles, and what needs
 * these. open[i] is how many needs of a step have no place. -1: no memory.
 */
ssize_t flow_needs_order(const struct flow_needs *needs, size_t n,
			 size_t *order, size_t *open);

#endif
