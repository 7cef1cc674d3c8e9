/* SPDX-License-Identifier: MIT */
/*
 * Test suites register themselves: a file under tests/ says
 *
 *	SUITE("clock")
 *	{
 *		TEST(a_time_without_an_offset_is_utc);
 *	}
 *
 * below its START_TEST()s, whose names are sentences, and the runner finds
 * them. Each test runs in a process of its own (Check's fork mode).
 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>

/* Goes into a new directory, which is removed when the test's process ends; returns
 * its path. */
const char *suite_scratch(void);

void suite_register(const char *name, void (*fill)(TCase *));

#define SUITE(name)                                                            \
	static void suite_fill_(TCase *);                                      \
	__attribute__((constructor)) static void suite_register_(void)         \
	{                                                                      \
		suite_register((name), suite_fill_);                           \
	}                                                                      \
	static void suite_fill_(TCase *suite_case_)

#define TEST(name) tcase_add_test(suite_case_, name)
#define TEST_LOOP(name, first, end)                                            \
	tcase_add_loop_test(suite_case_, name, first, end)
/*
 * Sanitizers make all slower, and keep memory of their own: a test that bounds
 * the one or the other asks for this. The limit below is longer under them.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
/* Seconds that a test of this suite may take; the default is 20. */
#define SUITE_TIMEOUT(seconds) tcase_set_timeout(suite_case_, seconds)

#endif
