/* SPDX-License-Identifier: MIT */
/*
 * How long a task waits before it is tried again: a delay that grows, and a
 * part of it left to chance, so that tasks which failed together do not come
 * back together.
 */
#include "core/task.h"

/* `value`, or the nearest end of the range. Not a number becomes `low`. */
static double
clamp(double value, double low, double high)
{
	if (!(value > low))
		return low;
	return value < high ? value : high;
}

/* base^exponent by squaring; too large a result is infinite, and the caller's
 * clamp takes care of that. */
static double
power(double base, int64_t exponent)
{
	double result = 1;

	while (exponent > 0) {
		if (exponent % 2 != 0)
			result *= base;
		base *= base;
		exponent /= 2;
	}
	return result;
}

/*
 * In doubles, which hold microseconds exactly for 285 years. A task may carry
 * any numbers, since a producer writes them; so each is clamped before it is
 * used, and NaN falls to the lower end.
 */
int64_t
retry_delay_us(const struct retry_policy *policy, int64_t retry, double chance)
{
	double limit = (double)TASK_DURATION_MAX_US;
	double backoff = policy->backoff > 0 ? policy->backoff : 1;
	double jitter = clamp(policy->jitter, 0, 1);
	double delay = (double)policy->delay_us;

	/* Before the product: 0 times an infinite factor is not a number. */
	if (policy->delay_us <= 0)
		return 0;
	if (policy->delay_max_us > 0)
		limit = clamp((double)policy->delay_max_us, 0, limit);
	if (retry > 1)
		delay *= power(backoff, retry - 1);
	delay = clamp(delay, 0, limit);
	delay *= 1 - jitter + jitter * clamp(chance, 0, 1);
	return (int64_t)(delay + 0.5);
}
