/* SPDX-License-Identifier: MIT */
/*
 * Runs the suites that were linked in: all, or those whose names are given as
 * arguments. With --list it prints their names.
 */
#include "suite.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- scratch ----------------------------------------------------------- */

static char scratch[] = "/tmp/flowrra-unit-XXXXXX";

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void
remove_scratch(void)
{
	nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
suite_scratch(void)
{
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	atexit(remove_scratch);
	ck_assert_int_eq(chdir(scratch), 0);
	return scratch;
}

#define SUITES_MAX 512
#define TIMEOUT_S 20
/* How much longer all limits are under sanitizers, if not said otherwise. */
#define SANITIZED_FACTOR "3"

static struct {
	const char *name;
	void (*fill)(TCase *);
} suites[SUITES_MAX];
static size_t n_suites;

void
suite_register(const char *name, void (*fill)(TCase *))
{
	if (n_suites == SUITES_MAX)
		abort();
	suites[n_suites].name = name;
	suites[n_suites].fill = fill;
	n_suites++;
}

static int
wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc == 1;
}

int
main(int argc, char **argv)
{
	SRunner *runner;
	TCase *tcase;
	Suite *suite;
	int failed;
	size_t i;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (i = 0; i < n_suites; i++)
			puts(suites[i].name);
		return EXIT_SUCCESS;
	}
	if (SANITIZED)
		setenv("CK_TIMEOUT_MULTIPLIER", SANITIZED_FACTOR, 0);
	runner = srunner_create(NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A reader of the log sees how far it is. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < n_suites; i++) {
		if (!wanted(suites[i].name, argc, argv))
			continue;
		suite = suite_create(suites[i].name);
		tcase = tcase_create(suites[i].name);
		tcase_set_timeout(tcase, TIMEOUT_S);
		suites[i].fill(tcase);
		suite_add_tcase(suite, tcase);
		srunner_add_suite(runner, suite);
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
