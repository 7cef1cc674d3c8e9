/* SPDX-License-Identifier: MIT */
/* The installed headers, compiled alone as each language that may use them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static const char *const files[] = {
    "tests/install/client_header.c",
    "tests/install/module_header.c",
    "tests/install/both_headers.c",
};
#define N_FILES (sizeof(files) / sizeof(files[0]))

static const char *const compilers[] = {
    "${CC:-cc} -x c -std=c11",	     "${CXX:-g++} -x c++ -std=c++11",
    "${CXX:-g++} -x c++ -std=c++14", "${CXX:-g++} -x c++ -std=c++17",
    "${CXX:-g++} -x c++ -std=c++20",
};
#define N_COMPILERS (sizeof(compilers) / sizeof(compilers[0]))

START_TEST(a_header_compiles_without_a_warning)
{
	const char *file = files[(size_t)_i / N_COMPILERS];
	const char *compiler = compilers[(size_t)_i % N_COMPILERS];
	char line[512];

	snprintf(line, sizeof(line),
		 "%s -Wall -Wextra -pedantic -Werror -Ilib/client -Ilib/module "
		 "$(pkg-config --cflags jansson) -c -o /dev/null %s",
		 compiler, file);
	ck_assert_msg(system(line) == 0, "%s", line);
}
END_TEST

/* Of the headers and the manual pages, in files of their own: see
 * tests/install/extract.awk. */
START_TEST(the_examples_compile_without_a_warning)
{
	static const char *const languages[] = {
	    "${CC:-gcc} -x c -std=c11",	     "clang -x c -std=c11",
	    "${CXX:-g++} -x c++ -std=c++11", "${CXX:-g++} -x c++ -std=c++20",
	    "clang++ -x c++ -std=c++11",     "clang++ -x c++ -std=c++20",
	};
	char line[1024];

	/* Not all have both compilers. */
	snprintf(line, sizeof(line), "command -v %s >/dev/null",
		 strncmp(languages[_i], "clang", 5) == 0 ? "clang++" : "c++");
	if (system(line) != 0)
		return;
	snprintf(line, sizeof(line),
		 "d=$(mktemp -d) && trap 'rm -rf $d' EXIT && set -e\n"
		 "awk -v OUT=$d -f tests/install/extract.awk "
		 "lib/*/flowrra/*.h lib/*/*.3 >$d/list\n"
		 /* One of each file at least, or the extraction is broken. */
		 "test $(wc -l <$d/list) -ge 6\n"
		 "for f in $(cat $d/list); do %s -Wall -Wextra -pedantic "
		 "-Werror -Ilib/client -Ilib/module -Ilib/testing "
		 "$(pkg-config --cflags jansson) -c -o /dev/null $f; done",
		 languages[_i]);
	ck_assert_msg(system(line) == 0, "%s", line);
}
END_TEST

SUITE("headers")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_header_compiles_without_a_warning, 0,
		  (int)(N_FILES * N_COMPILERS));
	TEST_LOOP(the_examples_compile_without_a_warning, 0, 6);
}
