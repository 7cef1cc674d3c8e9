/* SPDX-License-Identifier: MIT */
/* The installed headers, compiled alone as each language that may use them. */
#include <stdio.h>
#include <stdlib.h>

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

SUITE("headers")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_header_compiles_without_a_warning, 0,
		  (int)(N_FILES * N_COMPILERS));
}
