/* SPDX-License-Identifier: MIT */
/* libflowrra_testing, by a program that is linked as its users' programs are:
 * tests/authors. */
#include <stdlib.h>

#include "executor/driver.h"
#include "suite.h"

START_TEST(the_program_of_an_author_passes)
{
	ck_assert_int_eq(system(driver_path("tests/authors/run")), 0);
}
END_TEST

SUITE("authors")
{
	SUITE_TIMEOUT(60);
	TEST(the_program_of_an_author_passes);
}
