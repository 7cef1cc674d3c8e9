/* SPDX-License-Identifier: MIT */
/* The table of all families: metrics.def as data. */
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
