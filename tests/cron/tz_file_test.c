/* SPDX-License-Identifier: MIT */
/* TZif files, good, bad and hostile, and the rules in their footers. */
#include <stdlib.h>
#include <string.h>

#include "cron/tz.h"
#include "cron/tz_rule.h"
#include "suite.h"
#include "util/err.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define TO_S INT64_C(4102444800) /* 2100-01-01 */
#define WEEK_S (7 * 86400)

#define HEADER(version, ut, std, leap, time, type, chars)                      \
	"TZif" version "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                        \
	"\0\0\0" ut "\0\0\0" std "\0\0\0" leap "\0\0\0" time "\0\0\0" type     \
	"\0\0\0" chars
#define EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE
#define UTC_TYPE "\0\0\0\0\0\0UTC\0"
#define CET_TYPE "\0\0\x0e\x10\0\0CET\0"
#define BYTES(literal)                                                         \
	{                                                                      \
		(literal), sizeof(literal) - 1                                 \
	}

static struct tz *
read_zone(struct slice bytes, struct err *err)
{
	/* A copy without a byte behind it, for the sanitizer. */
	char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	struct tz *zone;

	memcpy(copy, bytes.p, bytes.len);
	zone = tz_read((struct slice){copy, bytes.len}, "Test", err);
	free(copy);
	return zone;
}

START_TEST(the_first_version_has_32_bits_and_no_footer)
{
	static const struct slice bytes = BYTES(
	    HEADER("\0", "\0", "\0", "\0", "\1", "\2", "\4") "\0\0\x0e\x10"
							     "\1"
							     "\0\0\0\0\0\0"
							     "\0\0\x1c\x20\1\0"
							     "UTC\0");
	struct err err = ERR_INIT;
	struct tz *zone = read_zone(bytes, &err);

	ck_assert_msg(zone != NULL, "%s", err.msg);
	ck_assert_int_eq(tz_offset_s(zone, 3599), 0);
	ck_assert_int_eq(tz_offset_s(zone, 3600), 7200);
	ck_assert_int_eq(tz_offset_s(zone, INT64_MAX), 7200);
	tz_free(zone);
}
END_TEST

START_TEST(the_footer_rules_when_there_are_no_transitions)
{
	static const struct slice bytes =
	    BYTES(EMPTY_V1 HEADER("3", "\0", "\0", "\0", "\0", "\1", "\4")
		      CET_TYPE "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
	struct err err = ERR_INIT;
	struct tz *zone = read_zone(bytes, &err);

	ck_assert_msg(zone != NULL, "%s", err.msg);
	ck_assert_int_eq(tz_offset_s(zone, 0), 3600);
	ck_assert_int_eq(tz_offset_s(zone, 1774745999), 3600);
	ck_assert_int_eq(tz_offset_s(zone, 1774746000), 7200);
	tz_free(zone);
}
END_TEST

START_TEST(summer_may_last_all_year)
{
	static const struct slice bytes =
	    BYTES(EMPTY_V1 HEADER("3", "\0", "\0", "\0", "\0", "\1", "\4")
		      CET_TYPE "\nXXX3EDT4,0/0,J365/23\n");
	struct err err = ERR_INIT;
	struct tz *zone = read_zone(bytes, &err);
	int64_t at_s;

	ck_assert_msg(zone != NULL, "%s", err.msg);
	for (at_s = 86400; at_s < TO_S; at_s += WEEK_S)
		ck_assert_int_eq(tz_offset_s(zone, at_s), -4 * 3600);
	ck_assert_int_eq(tz_transition_s(zone, 86400), INT64_MAX);
	tz_free(zone);
}
END_TEST

/* A file, and what the error says. */
static const struct {
	struct slice bytes;
	const char *says;
} bad_files[] = {
    {BYTES(""), "truncated"},
    {BYTES("TZif2"), "truncated"},
    {BYTES(EMPTY_V1), "truncated"},
    {BYTES("# version 2025b, and so on, for more than 44 bytes"), "begin with"},
    {BYTES("TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     "truncated"},
    {BYTES(HEADER("1", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE),
     "version is unknown"},
    {BYTES(HEADER("\0", "\0", "\0", "\0", "\0", "\0", "\0")),
     "no local time types"},
    {BYTES(HEADER("\0", "\0", "\0", "\1", "\0", "\1", "\4") UTC_TYPE
	   "\0\0\0\1\0\0\0\1"),
     "leap seconds"},
    {BYTES(HEADER("\0", "\0", "\0", "\0", "\0", "\1",
		  "\4") "\x7f\xff\xff\xff\0\0UTC\0"),
     "larger than 26 hours"},
    {BYTES(
	 HEADER("\0", "\0", "\0", "\0", "\0", "\1", "\4") "\0\0\0\0\0\4UTC\0"),
     "malformed"},
    {BYTES(HEADER("\0", "\0", "\0", "\0", "\1", "\1",
		  "\4") "\0\0\0\1\1" UTC_TYPE),
     "unknown local time type"},
    {BYTES(HEADER("\0", "\0", "\0", "\0", "\2", "\1",
		  "\4") "\0\0\0\1\0\0\0\1\0\0" UTC_TYPE),
     "not in order"},
    {BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE),
     "footer is missing"},
    {BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE
	   "\nUTC0"),
     "footer is truncated"},
    {BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE
	   "\nnonsense\n"),
     "rule in its footer"},
};

START_TEST(a_bad_file_is_refused_and_said_to_be)
{
	struct err err = ERR_INIT;

	ck_assert_ptr_null(read_zone(bad_files[_i].bytes, &err));
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, bad_files[_i].says) != NULL, "%s",
		      err.msg);
	ck_assert_ptr_null(read_zone(bad_files[_i].bytes, NULL));
}
END_TEST

START_TEST(a_file_cut_off_anywhere_is_refused)
{
	static const struct slice whole =
	    BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\1", "\1",
				  "\4") "\0\0\0\0\0\0\0\1\0" CET_TYPE
					"\nCET-1CEST,M3.5.0,M10.5.0/3\n");
	struct err err = ERR_INIT;
	struct tz *zone = read_zone(whole, &err);
	size_t len;

	ck_assert_msg(zone != NULL, "%s", err.msg);
	tz_free(zone);
	for (len = 0; len < whole.len; len++)
		ck_assert_ptr_null(
		    read_zone((struct slice){whole.p, len}, &err));
}
END_TEST

static const char *const bad_rules[] = {
    "",
    "U",
    "UT0",
    "UTC",
    "UTC0x",
    "UTC25",
    "UTC0:60",
    "UTC0000",
    "<+01-1",
    "<+1>-1",
    "CET-1CEST",
    "CET-1CEST,",
    "CET-1CEST,M3.5.0",
    "CET-1CEST,M3.5.0,",
    "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0",
    "CET-1CEST,M3.5,M10.5.0",
    "CET-1CEST,J0,J365",
    "CET-1CEST,J1,J366",
    "CET-1CEST,0,366",
    "CET-1CEST,M3.5.0/168,M10.5.0",
    "CET-1CEST,M3.5.0/2:,M10.5.0",
    "CET-1CEST,M3.5.0,M10.5.0 ",
};

START_TEST(a_bad_rule_is_refused)
{
	struct tz_rule rule;

	ck_assert_int_eq(tz_rule_parse(slice_of(bad_rules[_i]), &rule), -1);
}
END_TEST

START_TEST(a_rule_counts_days_in_three_ways)
{
	struct tz_rule rule;

	ck_assert_int_eq(
	    tz_rule_parse(SLICE("ABC+0:30:15<+11>,J60/-1,59/167:00:01"), &rule),
	    0);
	ck_assert_int_eq(rule.offset_s, -1815);
	ck_assert_int_eq(rule.summer_offset_s, 1785);
	/* J60 is 1 March in every year; 59 is 29 February in a leap year. */
	ck_assert_int_eq(tz_rule_start_s(&rule, 1972),
			 INT64_C(68256000) - 3600 + 1815);
	ck_assert_int_eq(tz_rule_start_s(&rule, 1973),
			 INT64_C(99792000) - 3600 + 1815);
	ck_assert_int_eq(tz_rule_end_s(&rule, 1972),
			 INT64_C(68169600) + 167 * 3600 + 1 - 1785);
	ck_assert_int_eq(tz_rule_end_s(&rule, 1973),
			 INT64_C(99792000) + 167 * 3600 + 1 - 1785);
}
END_TEST

SUITE("cron-tz-file")
{
	TEST(the_first_version_has_32_bits_and_no_footer);
	TEST(the_footer_rules_when_there_are_no_transitions);
	TEST(summer_may_last_all_year);
	TEST_LOOP(a_bad_file_is_refused_and_said_to_be, 0, N(bad_files));
	TEST(a_file_cut_off_anywhere_is_refused);
	TEST_LOOP(a_bad_rule_is_refused, 0, N(bad_rules));
	TEST(a_rule_counts_days_in_three_ways);
}
