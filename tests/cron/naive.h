/* SPDX-License-Identifier: MIT */
/*
 * The next fire, slow and obvious: walks through real time with glibc's
 * localtime_r(), in the zone of the environment's TZ, and asks at each step
 * whether the local time matches.
 */
#ifndef TESTS_CRON_NAIVE_H
#define TESTS_CRON_NAIVE_H

#include <stdbool.h>
#include <stdint.h>

struct expression;

/*
 * Returns true with the first fire after `after_s`. Gives up after `steps` of
 * them, and returns false with the instant before which nothing fires.
 */
bool naive_next(const struct expression *e, int64_t after_s, int steps,
		int64_t *ret_s);

#endif
