/* SPDX-License-Identifier: MIT */
/*
 * A strict reader of OpenMetrics 1.0 text, and of the older format 0.0.4, for
 * tests: it takes what the specification allows of what we write, and no more.
 *
 * Checked: families are begun once, with TYPE, UNIT (a gauge, counter or
 * histogram that ends in it) and HELP in this order; samples belong to the family
 * that was begun last, with the suffixes of its type; no two samples have the
 * same name and labels; names, labels, escapes and numbers are well formed; the
 * buckets of a histogram rise, end with +Inf, and agree with its count; the text
 * ends in "# EOF" and a line break, and has nothing behind it.
 */
#ifndef TESTS_WEB_METRICS_GRAMMAR_H
#define TESTS_WEB_METRICS_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

struct metrics_fault {
	size_t line; /* from 1 */
	char why[200];
};
/* 0, or -1 with what is wrong first. */
int metrics_check(const char *text, bool openmetrics,
		  struct metrics_fault *fault);

#endif
