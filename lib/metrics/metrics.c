/* SPDX-License-Identifier: MIT */
/*
 * The table of all families: metrics.def as data.
 *
 * What writes a family takes its name, type and help from here, and the tests take
 * from here what the manual and the examples may name.
 */
#include "metrics/metrics.h"

#include <stddef.h>

const struct metric metrics[METRIC_N] = {
#define METRIC(symbol, kind, text, end, names, from, meaning)                  \
	[METRIC_##symbol] = {.name = (text),                                   \
			     .type = METRICS_##kind,                           \
			     .unit = (end),                                    \
			     .labels = (names),                                \
			     .sources = (from),                                \
			     .help = (meaning)},
#include "metrics/metrics.def"
};
