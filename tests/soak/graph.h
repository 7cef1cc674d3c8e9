/* SPDX-License-Identifier: MIT */
/*
 * A workflow by chance, and what has to become of it: computed from what it is, step
 * by step, as nobody would do it who has to be fast, or may die.
 */
#ifndef TESTS_SOAK_GRAPH_H
#define TESTS_SOAK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

struct rng;

#define GRAPH_STEPS 16
#define GRAPH_EDGES 4

enum graph_how { GRAPH_SUCCESS, GRAPH_FAILURE, GRAPH_COMPLETE };
extern const char *const graph_how_words[GRAPH_COMPLETE + 1];
enum graph_end { GRAPH_SUCCEEDS, GRAPH_FAILS, GRAPH_SKIPPED };

struct graph_step {
	/* It comes after these, which have lower numbers. */
	struct {
		size_t step;
		enum graph_how how;
	} edges[GRAPH_EDGES];
	size_t n_edges;
	bool fails;   /* if it runs */
	bool retries; /* its first attempt fails */
	unsigned int ms;
	enum graph_end end; /* the answer */
};

struct graph {
	struct graph_step steps[GRAPH_STEPS];
	size_t n;
	bool whole;
	size_t ended[GRAPH_SKIPPED + 1]; /* the answer: how many of each */
};

/* Makes one, with its answers. */
void graph_make(struct graph *g, struct rng *rng);

#endif
