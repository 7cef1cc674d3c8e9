/* SPDX-License-Identifier: MIT */
/* What a value of a task may be. */
#include "codec/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "suite.h"
#include "util/err.h"

static const char *const taken[] = {
    "9223372036854775807",
    "-9223372036854775808",
    "0",
    "-0",
    "1.10",
    "1e5",
    "1E+05",
    "1e308",
    "-1.7976931348623157e308",
    "5e-324",
    "0e999",
    "0.0e-999",
    "0.1",
    "0.1000000000000000055511151231257827",
    "123456789012345678901234567890.5",
    "null",
    "[{\"a\":[\"\\u0001\\\\u0000\"]}]",
};

START_TEST(what_arrives_as_it_is_is_taken)
{
	struct scan_value value;
	struct err err = ERR_INIT;

	ck_assert_msg(value_scan(slice_of(taken[_i]), 9, &value, &err) == 0,
		      "%s", err.msg);
	ck_assert(slice_eq(value.text, slice_of(taken[_i])));
}
END_TEST

static const struct {
	const char *text, *message;
} refused[] = {
    {"9223372036854775808", "the number 9223372036854775808 does not fit "
			    "into 64 bits; pass it as a string"},
    {"-9223372036854775809", "64 bits"},
    {"[1,2,{\"a\":12345678901234567890}]",
     "the number 12345678901234567890 does not fit"},
    {"1e400", "the number 1e400 is beyond the range of a double"},
    {"-12e4567", "the number -12e4567 is beyond"},
    {"1e-400", "beyond the range of a double"},
    {"0.00001e-400", "beyond the range of a double"},
    {"[\"a\\u0000b\"]", "a string holds \\u0000"},
    {"[\"\\u0000\",1e400]", "a string holds"},
    {"[1e400,\"\\u0000\"]", "the number 1e400"},
    {"123456789012345678901234567890123456789012345",
     "the number 1234567890123456789012345678901234567890... does"},
};

START_TEST(what_would_not_arrive_is_refused_and_named)
{
	struct scan_value value;
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    value_scan(slice_of(refused[_i].text), 9, &value, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, refused[_i].message) != NULL, "%s",
		      err.msg);
}
END_TEST

/* With as many digits as one likes: no shortcut decides otherwise than strtod().
 */
START_TEST(a_long_number_is_judged_by_its_value)
{
	char text[2000];
	struct scan_value value;
	int length, exponent, rc;
	double real;

	for (length = 1; length < 700; length += 23)
		for (exponent = -1100; exponent <= 400; exponent += 7) {
			snprintf(text, sizeof(text), "%0*de%d", length, 0,
				 exponent);
			memset(text, '9', (size_t)length);
			real = strtod(text, NULL);
			rc = value_scan(slice_of(text), 1, &value, NULL);
			ck_assert_msg((rc == 0) ==
					  (real != 0 && isfinite(real)),
				      "%s: %d", text, rc);
		}
}
END_TEST

/* Elsewhere in a task they are nobody's value. */
START_TEST(only_the_arguments_of_a_task_are_checked)
{
	static const char other[] =
	    "{\"id\":\"a\",\"name\":\"n\",\"x\":[1e400,\"\\u0000\"],"
	    "\"args\":[1],\"kwargs\":{}}";
	static const char *const bad[] = {
	    "{\"id\":\"a\",\"name\":\"n\",\"args\":[1e400]}",
	    "{\"id\":\"a\",\"name\":\"n\",\"x\":1e400,"
	    "\"kwargs\":{\"k\":\"\\u0000\"}}",
	};
	struct err err = ERR_INIT;
	struct task *task;

	ck_assert_int_eq(task_decode(slice_of(other), &task, &err), 0);
	task_free(task);
	ck_assert_int_eq(task_decode(slice_of(bad[0]), &task, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "field \"args\": the number"));
	ck_assert_int_eq(task_decode(slice_of(bad[1]), &task, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "field \"kwargs\": a string"));
}
END_TEST

SUITE("value")
{
	TEST_LOOP(what_arrives_as_it_is_is_taken, 0,
		  sizeof(taken) / sizeof(taken[0]));
	TEST_LOOP(what_would_not_arrive_is_refused_and_named, 0,
		  sizeof(refused) / sizeof(refused[0]));
	TEST(a_long_number_is_judged_by_its_value);
	TEST(only_the_arguments_of_a_task_are_checked);
}
