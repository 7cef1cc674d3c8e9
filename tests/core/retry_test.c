/* SPDX-License-Identifier: MIT */
/* How long a task waits before it is tried again. */
#include <math.h>
#include <stdint.h>

#include "core/task.h"
#include "suite.h"

#define S INT64_C(1000000)
#define UNSET TASK_UNSET

static const struct {
	struct retry_policy policy; /* delay, backoff, limit, jitter */
	int64_t retry;
	double chance;
	int64_t wanted_us;
} delays[] = {
    /* A constant delay. */
    {{1 * S, 1, 0, 0}, 1, 0.5, 1 * S},
    {{1 * S, 1, 0, 0}, 1000000000, 0.5, 1 * S},
    {{1 * S, UNSET, UNSET, UNSET}, 7, 0.5, 1 * S},
    {{0, 2, 0, 0}, 5, 0.5, 0},
    {{0, 1000, 0, 1}, INT64_MAX, 1, 0},
    {{UNSET, 2, 0, 0}, 5, 0.5, 0},
    /* Backoff. */
    {{1 * S, 2, 0, 0}, 1, 0, 1 * S},
    {{1 * S, 2, 0, 0}, 2, 0, 2 * S},
    {{1 * S, 2, 0, 0}, 11, 0, 1024 * S},
    {{1500000, 1.5, 0, 0}, 3, 0, 3375000},
    {{1 * S, 2, 0, 0}, 0, 0, 1 * S},
    {{1 * S, 2, 0, 0}, INT64_MIN, 0, 1 * S},
    /* The limits. */
    {{1 * S, 2, 60 * S, 0}, 6, 0, 32 * S},
    {{1 * S, 2, 60 * S, 0}, 7, 0, 60 * S},
    {{90 * S, 1, 60 * S, 0}, 1, 0, 60 * S},
    {{1 * S, 2, 0, 0}, 100, 0, TASK_DURATION_MAX_US},
    {{1 * S, 1000, 0, 0}, INT64_MAX, 0, TASK_DURATION_MAX_US},
    {{1 * S, INFINITY, 0, 0}, 2, 0, TASK_DURATION_MAX_US},
    {{INT64_MAX, 1, INT64_MAX, 0}, 1, 0, TASK_DURATION_MAX_US},
    /* Jitter. */
    {{10 * S, 1, 0, 1}, 1, 0, 0},
    {{10 * S, 1, 0, 1}, 1, 0.25, 2500000},
    {{10 * S, 1, 0, 1}, 1, 1, 10 * S},
    {{10 * S, 1, 0, 0.5}, 1, 0, 5 * S},
    {{10 * S, 1, 0, 0.5}, 1, 0.5, 7500000},
    {{10 * S, 1, 0, 9}, 1, 0.5, 5 * S},
    {{10 * S, 1, 0, -3}, 1, 0.5, 10 * S},
    {{10 * S, 1, 0, 1}, 1, 7, 10 * S},
    {{1 * S, 2, 60 * S, 0.5}, 20, 0, 30 * S},
    /* What is not a number has no effect. */
    {{1 * S, NAN, 0, NAN}, 3, 0.5, 1 * S},
};

START_TEST(the_delay_before_a_retry_is_as_in_the_table)
{
	ck_assert_int_eq(retry_delay_us(&delays[_i].policy, delays[_i].retry,
					delays[_i].chance),
			 delays[_i].wanted_us);
}
END_TEST

SUITE("retry")
{
	TEST_LOOP(the_delay_before_a_retry_is_as_in_the_table, 0,
		  sizeof(delays) / sizeof(delays[0]));
}
