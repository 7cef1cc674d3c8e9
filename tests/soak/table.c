/* SPDX-License-Identifier: MIT */
/* What the campaign has found, as a table. */
#include "soak/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The sum of a row's runs. */
struct sum {
	unsigned int runs, failed, faults, acknowledged, lost;
	unsigned int again[CAUSE_COUNT + 1];
	float *recovery_ms;
	size_t n_recoveries;
	const char *skipped;
};

static int
compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
add(struct sum *sum, const struct job *j)
{
	const struct tally *t = j->tally;
	size_t i;

	sum->runs++;
	sum->failed += j->failed;
	sum->faults += t->faults;
	sum->acknowledged += t->acknowledged;
	sum->lost += t->lost;
	for (i = 0; i <= CAUSE_COUNT; i++)
		sum->again[i] += t->again[i];
	sum->recovery_ms =
	    realloc(sum->recovery_ms,
		    (sum->n_recoveries + t->n_recoveries + 1) * sizeof(float));
	if (sum->recovery_ms == NULL)
		abort();
	memcpy(sum->recovery_ms + sum->n_recoveries, t->recovery_ms,
	       t->n_recoveries * sizeof(float));
	sum->n_recoveries += t->n_recoveries;
	if (t->skipped[0] != '\0')
		sum->skipped = t->skipped;
}

/* "3 (executor killed), 1 (no reason)" */
static void
print_again(const struct sum *sum)
{
	const char *between = "";
	size_t i;

	for (i = 0; i <= CAUSE_COUNT; i++) {
		if (sum->again[i] == 0)
			continue;
		printf("%s%u (%s)", between, sum->again[i],
		       i < CAUSE_COUNT ? cause_names[i] : "no reason");
		between = ", ";
	}
	if (between[0] == '\0')
		printf("0");
	printf("\n");
}

static void
print_row(const struct row *row, const char *broker, struct sum *sum)
{
	char median[32] = "-", worst[32] = "-";

	if (sum->skipped != NULL) {
		printf("%-47s %-6s skipped: %s\n", row->fault, broker,
		       sum->skipped);
		return;
	}
	if (sum->n_recoveries > 0) {
		qsort(sum->recovery_ms, sum->n_recoveries, sizeof(float),
		      compare);
		snprintf(median, sizeof(median), "%.0f",
			 sum->recovery_ms[sum->n_recoveries / 2]);
		snprintf(worst, sizeof(worst), "%.0f",
			 sum->recovery_ms[sum->n_recoveries - 1]);
	}
	printf("%-47s %-6s %4u %6u %6u %7u %4u %6s %6s  ", row->fault, broker,
	       sum->runs, sum->failed, sum->faults, sum->acknowledged,
	       sum->lost, median, worst);
	print_again(sum);
}

void
table_print(const struct job *jobs, size_t n,
	    const char *const broker_names[SOAK_BROKERS])
{
	struct sum sum;
	size_t i, first;

	printf("\n%-47s %-6s %4s %6s %6s %7s %4s %6s %6s  %s\n", "fault",
	       "broker", "runs", "failed", "faults", "tasks", "lost", "median",
	       "worst", "executed again");
	for (first = 0; first < n; first = i) {
		memset(&sum, 0, sizeof(sum));
		for (i = first; i < n && jobs[i].row == jobs[first].row &&
				jobs[i].broker == jobs[first].broker;
		     i++)
			add(&sum, &jobs[i]);
		print_row(jobs[first].row, broker_names[jobs[first].broker],
			  &sum);
		free(sum.recovery_ms);
	}
	printf("Times are ms, from the fault's end until tasks go on.\n\n");
}

unsigned int
table_summary(const struct job *jobs, size_t n)
{
	unsigned int failed = 0;
	size_t i;

	for (i = 0; i < n; i++)
		failed += jobs[i].failed;
	printf("%u%%: Checks: %zu, Failures: %u, Errors: 0\n",
	       (unsigned int)((n - failed) * 100 / n), n, failed);
	return failed;
}
