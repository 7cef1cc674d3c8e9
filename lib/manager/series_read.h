/* SPDX-License-Identifier: MIT */
/*
 * Minutes and hours that were read, and are kept. For manager/series*.c only.
 */
#ifndef MANAGER_SERIES_READ_H
#define MANAGER_SERIES_READ_H

#include <stdint.h>

#include "manager/series.h"

/* One minute, hour, or all there was; never changed once it is here. */
struct series_slot {
	enum measure_step step;
	int64_t begin_s;
	int64_t read_us;   /* when; monotonic clock */
	unsigned int refs; /* of the cache, and of those who use it */
	size_t bytes;
	size_t n;
	struct measure measures[]; /* their names lie behind them */
};

/*
 * The slots of `n` steps from `begin_s` on, which are read as far as they are
 * not here. 0: each is the caller's until series_done(); or -1 with *err.
 */
int series_read(struct series *s, struct flowrra_client *c,
		enum measure_step step, int64_t begin_s,
		struct series_slot **slots, size_t n, struct err *err);
void series_done(struct series *s, struct series_slot **slots, size_t n);

#endif
