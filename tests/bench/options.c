/* SPDX-License-Identifier: MIT */
/* The options of the benchmark. */
#include "options.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "system.h"
#include "table.h"

struct options opt;

static long
number(const char *variable, long preset)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (text == NULL || *text == '\0')
		return preset;
	n = strtol(text, &end, 10);
	if (*end != '\0' || n < 0 || n > 100000000)
		errx(64, "%s=%s: not a number from 0 to 100000000", variable,
		     text);
	return n;
}

static const char *
text_or(const char *variable, const char *preset)
{
	const char *text = getenv(variable);

	return text != NULL && *text != '\0' ? text : preset;
}

void
options_read(void)
{
#define X(member, variable, preset, text) opt.member = number(variable, preset);
	NUMBERS(X)
#undef X
#define X(member, variable, preset, text)                                      \
	opt.member = text_or(variable, preset);
	TEXTS(X)
#undef X
	if (opt.rounds < 1 || opt.rounds > ROUNDS_MAX)
		errx(64, "BENCH_ROUNDS: 1 to %d", ROUNDS_MAX);
	if (opt.tasks < 10)
		errx(64, "BENCH_TASKS: at least 10");
	if (opt.seconds > 0 && opt.rate < 1)
		errx(64, "BENCH_RATE: at least 1");
}

void
options_help(void)
{
	size_t i;

	printf("Usage: make bench [VARIABLE=VALUE...]\n"
	       "Measures throughput, latency, memory and CPU time.\n\n");
#define X(member, variable, preset, text)                                      \
	printf("  %-18s %s (%ld)\n", variable, text, (long)(preset));
	NUMBERS(X)
#undef X
#define X(member, variable, preset, text)                                      \
	printf("  %-18s %s (%s)\n", variable, text, preset);
	TEXTS(X)
#undef X
	printf("\nSystems:\n");
	for (i = 0; i < n_system_types; i++)
		printf("  %-18s %s\n", system_types[i].name,
		       system_types[i].description);
}
