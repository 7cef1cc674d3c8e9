/* SPDX-License-Identifier: MIT */
/* How long cron_next() takes: nanoseconds a call, for usual expressions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "util/err.h"

#define CALLS 1000000
#define ROUNDS 5
#define US_PER_S INT64_C(1000000)
#define FROM_US (INT64_C(1767225600) * US_PER_S) /* 2026-01-01 */
#define YEARS_US (INT64_C(10) * 31556952 * US_PER_S)
#define MOMENTS 4096

static const char *const texts[] = {
    "* * * * *",	 "*/5 * * * *",	     "0 * * * *",
    "30 9 * * *",	 "0 9 * * MON-FRI",  "0 0 1,15 * 5",
    "0 0 1 * *",	 "0 0 L * *",	     "0 0 LW * *",
    "0 9 * * MON#2",	 "0 0 * * FRI#L",    "@weekly",
    "@yearly",		 "30 9 15 6 *",	     "0 0 29 2 *",
    "0 0 * 2 MON#5",	 "*/10 * * * * *",   "0,30 1-2 * * *",
    "*/10 9-17 * * 1-5", "0 0 0 1 1 * 2099", "@every 90s",
};

static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York"};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nanoseconds a call: from moments anywhere in ten years, so that neither the
 * branches nor the caches learn them, or (a chain) from one fire to the next.
 */
static double
measure(const struct cron *cron, const struct tz *zone, const int64_t *moments)
{
	double best = 1e9, ns;
	int64_t begin, after, next_us = 0;
	volatile int64_t sink;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		begin = now_ns();
		for (i = 0; i < CALLS; i++) {
			after =
			    moments != NULL ? moments[i % MOMENTS] : next_us;
			if (!cron_next(cron, zone, after, &next_us))
				next_us = FROM_US;
		}
		ns = (double)(now_ns() - begin) / CALLS;
		if (ns < best)
			best = ns;
		sink = next_us;
		(void)sink;
		next_us = FROM_US;
	}
	return best;
}

int
main(void)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	static int64_t moments[MOMENTS];
	const struct tz *zone;
	struct cron cron;
	size_t i, z;

	srandom(1);
	for (i = 0; i < MOMENTS; i++)
		moments[i] = FROM_US + (int64_t)((double)random() / RAND_MAX *
						 (double)YEARS_US);
	printf("ns per call: from random moments, and from fire to fire\n");
	printf("%-20s", "");
	for (z = 0; z < N(zones); z++)
		printf("%20s", zones[z]);
	for (i = 0; i < N(texts); i++) {
		if (cron_parse(texts[i], NULL, &cron, NULL, &err) != 0)
			goto fail;
		printf("\n%-20s", texts[i]);
		for (z = 0; z < N(zones); z++) {
			zone = tz_find(set, slice_of(zones[z]), &err);
			if (zone == NULL)
				goto fail;
			printf("%12.1f %7.1f", measure(&cron, zone, moments),
			       measure(&cron, zone, NULL));
		}
	}
	printf("\n");
	tz_set_free(set);
	return EXIT_SUCCESS;

fail:
	fprintf(stderr, "cron_bench: %s\n", err.msg);
	tz_set_free(set);
	return EXIT_FAILURE;
}
