/* SPDX-License-Identifier: MIT */
/*
 * What the handlers tell the benchmark: a page that both sides map from the
 * file that $BENCH_PAGE names. The runner zeroes it and sets `expected` while
 * no worker runs.
 */
#ifndef BENCH_PAGE_H
#define BENCH_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

struct page {
	atomic_uint_fast64_t expected; /* how many tasks will be run */
	atomic_uint_fast64_t started;
	atomic_uint_fast64_t ended;
	/* CLOCK_MONOTONIC: start of the first task, end of the expected one. */
	atomic_int_fast64_t first_ns;
	atomic_int_fast64_t last_ns;
};

#endif
