/* SPDX-License-Identifier: MIT */
/* Kahn's order of a graph: a step has its place once all that it needs have
 * theirs. */
#include "manager/flow_order.h"

#include <stdlib.h>
#include <string.h>

int
flow_needs_add(struct flow_needs *needs, size_t step, size_t needed)
{
	const size_t cap = needs->cap > 0 ? 2 * needs->cap : 16;
	struct flow_needs_pair *grown;

	if (needs->n == needs->cap) {
		grown = reallocarray(needs->pairs, cap, sizeof(*grown));
		if (grown == NULL)
			return -1;
		needs->pairs = grown;
		needs->cap = cap;
	}
	needs->pairs[needs->n++] = (struct flow_needs_pair){step, needed};
	return 0;
}

void
flow_needs_done(struct flow_needs *needs)
{
	free(needs->pairs);
	*needs = (struct flow_needs){.n = 0};
}

/* Those that need step i are list[first[i]] up to list[first[i + 1]]. */
struct needing {
	size_t *first, *list;
};

static int
needing_make(const struct flow_needs *needs, size_t n, struct needing *ret)
{
	const struct flow_needs_pair *p;
	size_t i;

	ret->first = calloc(n + 2, sizeof(*ret->first));
	ret->list = calloc(needs->n + 1, sizeof(*ret->list));
	if (ret->first == NULL || ret->list == NULL)
		return -1;
	/* One place further, as filling moves each up to the next. */
	for (p = needs->pairs; p < needs->pairs + needs->n; p++)
		ret->first[p->needed + 2]++;
	for (i = 2; i < n + 2; i++)
		ret->first[i] += ret->first[i - 1];
	for (p = needs->pairs; p < needs->pairs + needs->n; p++)
		ret->list[ret->first[p->needed + 1]++] = p->step;
	return 0;
}

static size_t
order_fill(const struct flow_needs *needs, size_t n,
	   const struct needing *needing, size_t *order, size_t *open)
{
	size_t placed = 0, at, i, k;

	memset(open, 0, n * sizeof(*open));
	for (i = 0; i < needs->n; i++)
		open[needs->pairs[i].step]++;
	for (i = 0; i < n; i++)
		if (open[i] == 0)
			order[placed++] = i;
	for (at = 0; at < placed; at++) {
		i = order[at];
		for (k = needing->first[i]; k < needing->first[i + 1]; k++)
			if (--open[needing->list[k]] == 0)
				order[placed++] = needing->list[k];
	}
	return placed;
}

ssize_t
flow_needs_order(const struct flow_needs *needs, size_t n, size_t *order,
		 size_t *open)
{
	struct needing needing = {NULL, NULL};
	ssize_t placed = -1;

	if (needing_make(needs, n, &needing) == 0)
		placed = (ssize_t)order_fill(needs, n, &needing, order, open);
	free(needing.first);
	free(needing.list);
	return placed;
}
