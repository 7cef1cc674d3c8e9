/* SPDX-License-Identifier: MIT */
/* Workflows by chance. */
#include "soak/graph.h"

#include <string.h>

#include "soak/soak.h"

const char *const graph_how_words[] = {[GRAPH_SUCCESS] = "success",
				       [GRAPH_FAILURE] = "failure",
				       [GRAPH_COMPLETE] = "complete"};

static bool
percent(struct rng *rng, int64_t n)
{
	return rng_between(rng, 1, 100) <= n;
}

/* Most want success, as users do. */
static enum graph_how
choose_how(struct rng *rng)
{
	if (percent(rng, 65))
		return GRAPH_SUCCESS;
	return percent(rng, 50) ? GRAPH_COMPLETE : GRAPH_FAILURE;
}

static bool
comes_after(const struct graph_step *step, size_t other)
{
	size_t i;

	for (i = 0; i < step->n_edges; i++)
		if (step->edges[i].step == other)
			return true;
	return false;
}

static void
choose_edges(struct graph *g, size_t i, struct rng *rng)
{
	struct graph_step *step = &g->steps[i];
	int64_t tries = rng_between(rng, 0, GRAPH_EDGES);
	size_t other;

	for (; i > 0 && tries > 0; tries--) {
		/* Near ones, most of the time: chains are long then. */
		other = (size_t)rng_between(
		    rng, percent(rng, 60) && i > 3 ? (int64_t)i - 3 : 0,
		    (int64_t)i - 1);
		if (comes_after(step, other))
			continue;
		step->edges[step->n_edges].step = other;
		step->edges[step->n_edges++].how = choose_how(rng);
	}
}

static bool
is_met(enum graph_how how, enum graph_end end)
{
	return how == GRAPH_COMPLETE ||
	       (how == GRAPH_SUCCESS && end == GRAPH_SUCCEEDS) ||
	       (how == GRAPH_FAILURE && end == GRAPH_FAILS);
}

/* Those before it have their ends. */
static enum graph_end
foresee(const struct graph *g, const struct graph_step *step)
{
	size_t i;

	for (i = 0; i < step->n_edges; i++)
		if (!is_met(step->edges[i].how,
			    g->steps[step->edges[i].step].end))
			return GRAPH_SKIPPED;
	return step->fails ? GRAPH_FAILS : GRAPH_SUCCEEDS;
}

void
graph_make(struct graph *g, struct rng *rng)
{
	struct graph_step *step;
	size_t i;

	memset(g, 0, sizeof(*g));
	g->n = (size_t)rng_between(rng, 1, GRAPH_STEPS);
	g->whole = percent(rng, 50);
	for (i = 0; i < g->n; i++) {
		step = &g->steps[i];
		choose_edges(g, i, rng);
		step->fails = percent(rng, 20);
		step->retries = !step->fails && percent(rng, 5);
		step->ms = (unsigned int)rng_between(rng, 0, 20);
		step->end = foresee(g, step);
		g->ended[step->end]++;
	}
}
