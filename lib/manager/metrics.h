/* SPDX-License-Identifier: MIT */
/*
 * Metrics of all that the stores know: queues, workers, tasks and schedules. For
 * flowrra-web and `flowrractl metrics`, which both look from outside.
 */
#ifndef MANAGER_METRICS_H
#define MANAGER_METRICS_H

#include <stdbool.h>

struct flowrra_client;
struct metrics_text;
struct schedules;
struct series;

struct metrics_stores {
	struct flowrra_client *client;
	struct series *series;
	struct schedules *schedules; /* NULL: out of reach … */
	bool no_schedules; /* … or there is no database yet, and none is due */
};
/* Looks at each store once and writes its families; does not end the text. What is
 * out of reach is left out, and flowrra_up says so: a monitor has to tell a broker
 * that is away from a program that is. */
void metrics_write_stores(struct metrics_text *m,
			  const struct metrics_stores *stores);

#endif
