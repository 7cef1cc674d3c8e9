/* SPDX-License-Identifier: MIT */
/* Libraries that are loaded when they are used, and those that are not there. */
#include "util/library.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "suite.h"
#include "util/err.h"

/* Of libm, which this program need not have. */
typedef double math_fn(double);

struct loaded_math {
	math_fn *cos;
	math_fn *sqrt;
};
#define loaded_math_file "libm.so.6"
#define loaded_math_names                                                      \
	"cos\0"                                                                \
	"sqrt\0"
LIBRARY("numbers", math);

struct loaded_absent {
	math_fn *cos;
};
#define loaded_absent_file "libflowrra-absent.so.1"
#define loaded_absent_names "cos\0"
LIBRARY("what is not there", absent);

/* The last one is unknown to the library: an older one, say. */
struct loaded_old {
	math_fn *cos;
	math_fn *flowrra_unknown;
};
#define loaded_old_file "libm.so.6"
#define loaded_old_names                                                       \
	"cos\0"                                                                \
	"flowrra_unknown\0"
LIBRARY("old things", old);

START_TEST(functions_are_found_in_their_order)
{
	ck_assert_ptr_null(loaded_math.sqrt);
	ck_assert_int_eq(library_load(&library_math, NULL), 0);
	ck_assert_double_eq(loaded_math.sqrt(4), 2);
	ck_assert_double_eq(loaded_math.cos(0), 1);
	ck_assert_int_eq(library_load(&library_math, NULL), 0);
}
END_TEST

static void *
load_and_use(void *arg)
{
	uintptr_t good =
	    library_load(&library_math, NULL) == 0 && loaded_math.sqrt(9) == 3;

	(void)arg;
	return (void *)good;
}

START_TEST(threads_may_be_first_together)
{
	pthread_t threads[8];
	void *good;
	size_t i;

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, load_and_use, NULL), 0);
	for (i = 0; i < 8; i++) {
		pthread_join(threads[i], &good);
		ck_assert_ptr_nonnull(good);
	}
}
END_TEST

START_TEST(one_that_is_not_installed_is_an_error_that_names_it)
{
	struct err err;

	ck_assert_int_eq(library_load(&library_absent, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(
	    strstr(err.msg, "cannot load the library for what is not there "
			    "(is it installed?): libflowrra-absent.so.1"));
	/* As often as it is asked for. */
	ck_assert_int_eq(library_load(&library_absent, &err), -1);
}
END_TEST

START_TEST(one_without_a_function_is_an_error_that_names_the_function)
{
	struct err err;

	ck_assert_int_eq(library_load(&library_old, &err), -1);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "flowrra_unknown"));
	ck_assert(!library_old.loaded);
}
END_TEST

SUITE("library")
{
	TEST(functions_are_found_in_their_order);
	TEST(threads_may_be_first_together);
	TEST(one_that_is_not_installed_is_an_error_that_names_it);
	TEST(one_without_a_function_is_an_error_that_names_the_function);
}
