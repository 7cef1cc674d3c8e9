/* SPDX-License-Identifier: MIT */
/* Wall clocks of programs that are wrong (clock_shim.c), and are stepped. */
#ifndef TESTS_SOAK_CLOCKS_H
#define TESTS_SOAK_CLOCKS_H

#include "soak/soak.h"

/* Ahead of all steps. */
#define CLOCKS_END_US INT64_C(3660000000)

/* All programs that are started from now on have clocks that can be wrong. */
void clocks_preload(char clocks[static 32]);
/* The shift of a program's clock, in µs. */
volatile int64_t *clocks_of(struct scene *s, const char *clocks,
			    const char *program);
/* An hour ahead, an hour behind, or right: a fault. */
void clocks_step(struct scene *s, volatile int64_t *shift);
void clocks_clean_up(const char *clocks);

#endif
