/* SPDX-License-Identifier: MIT */
/* Zones: names, versions, the system's data against glibc, and bad files. */
#include "cron/tz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cron/tz_rule.h"
#include "suite.h"
#include "util/err.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define FROM_S INT64_C(0)
#define TO_S INT64_C(4102444800) /* 2100-01-01 */
#define WEEK_S (7 * 86400)
#define SEED 20260328

/* Against glibc, whose TZ is this zone. Check's assertions write to a file
 * each, which takes too long here. */
static void
assert_agreed(const struct tz *zone, int64_t instant_s)
{
	int32_t ours = tz_offset_s(zone, instant_s);
	time_t t = instant_s;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || tm.tm_gmtoff != ours)
		ck_abort_msg("%s at %lld: %d, glibc has %ld", tz_name(zone),
			     (long long)instant_s, ours, tm.tm_gmtoff);
}

/* Every transition, and an instant of every week, so that none is missed. */
static size_t
compare_zone(const struct tz *zone)
{
	size_t transitions = 0;
	int64_t at_s;

	ck_assert_int_eq(setenv("TZ", tz_name(zone), 1), 0);
	tzset();
	for (at_s = tz_transition_s(zone, FROM_S); at_s < TO_S;
	     at_s = tz_transition_s(zone, at_s), transitions++) {
		assert_agreed(zone, at_s - 1);
		assert_agreed(zone, at_s);
		if (tz_offset_s(zone, at_s - 1) == tz_offset_s(zone, at_s))
			ck_abort_msg("no transition");
	}
	for (at_s = FROM_S; at_s < TO_S; at_s += WEEK_S)
		assert_agreed(zone, at_s + random() % WEEK_S);
	return transitions;
}

START_TEST(all_zones_agree_with_glibc_from_1970_to_2100)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	struct tz_names names;
	const struct tz *zone;
	size_t transitions = 0, i;

	srandom(SEED);
	ck_assert_msg(tz_names_read(NULL, &names, &err) == 0, "%s", err.msg);
	ck_assert_uint_gt(names.count, 300);
	for (i = 0; i < names.count; i++) {
		zone = tz_find(set, slice_of(names.names[i]), &err);
		ck_assert_msg(zone != NULL, "%s", err.msg);
		transitions += compare_zone(zone);
	}
	ck_assert_uint_gt(transitions, 10000);
	tz_names_done(&names);
	tz_set_free(set);
}
END_TEST

START_TEST(a_zone_is_read_once)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);
	const struct tz *berlin = tz_find(set, SLICE("Europe/Berlin"), &err);

	ck_assert_ptr_nonnull(berlin);
	ck_assert_ptr_nonnull(tz_find(set, SLICE("Asia/Tokyo"), &err));
	ck_assert_ptr_nonnull(tz_find(set, SLICE("Africa/Cairo"), &err));
	ck_assert_ptr_eq(tz_find(set, SLICE("Europe/Berlin"), &err), berlin);
	ck_assert_str_eq(tz_name(berlin), "Europe/Berlin");
	ck_assert_int_eq(tz_offset_s(berlin, 1774745999), 3600);
	ck_assert_int_eq(tz_offset_s(berlin, 1774746000), 7200);
	tz_set_free(set);
	tz_set_free(NULL);
}
END_TEST

START_TEST(utc_needs_no_files)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new("/nonexistent", &err);

	ck_assert_ptr_eq(tz_find(set, SLICE("UTC"), &err), tz_utc());
	ck_assert_int_eq(tz_offset_s(tz_utc(), INT64_MIN), 0);
	ck_assert_int_eq(tz_offset_s(tz_utc(), INT64_MAX), 0);
	ck_assert_int_eq(tz_transition_s(tz_utc(), 0), INT64_MAX);
	ck_assert_ptr_null(tz_find(set, SLICE("Europe/Berlin"), &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.msg, "install tzdata"));
	tz_set_free(set);
}
END_TEST

/* A name, and what the error says. */
static const struct {
	const char *name;
	const char *says;
} bad_names[] = {
    {"", "is empty"},
    {"../zoneinfo/UTC", "not the name"},
    {"Europe/../UTC", "not the name"},
    {"/usr/share/zoneinfo/UTC", "not the name"},
    {"Europe//Berlin", "not the name"},
    {"Europe/", "not the name"},
    {".hidden", "not the name"},
    {":UTC", "not the name"},
    {"America/New York", "America/New_York"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "not the name"},
    {"AVeryLongNameThatNoZoneHasAVeryLongNameThatNoZoneHasAVeryLongName!",
     "more than 64 bytes"},
    {"Europe", "did you mean"},
    {"Europe/Berln", "mean \"Europe/Berlin\""},
    {"europe/berlin", "mean \"Europe/Berlin\"?"},
    {"Berlin", "mean \"Europe/Berlin\"?"},
    {"Middle/Of_Nowhere", "timedatectl"},
    {"tzdata.zi", "begin with \"TZif\""},
};

START_TEST(a_bad_name_is_refused_with_advice)
{
	struct err err = ERR_INIT;
	struct tz_set *set = tz_set_new(NULL, &err);

	ck_assert_ptr_null(tz_find(set, slice_of(bad_names[_i].name), &err));
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, bad_names[_i].says) != NULL, "%s",
		      err.msg);
	tz_set_free(set);
}
END_TEST

/* --- a folder of our own ------------------------------------------------- */

static char folder[64];

static void
make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/flowrra-tz-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
write_file(const char *name, const void *bytes, size_t len)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static void
remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_int_eq(remove(path), 0);
}

static void
assert_version(const char *expected)
{
	char version[TZ_VERSION_SIZE];
	struct err err = ERR_INIT;

	ck_assert_msg(tz_version(folder, version, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(version, expected);
}

START_TEST(the_version_comes_from_a_file_or_is_a_checksum)
{
	char sum[TZ_VERSION_SIZE], other[TZ_VERSION_SIZE];
	struct err err = ERR_INIT;

	make_folder();
	write_file("Here", "abc", 3);
	ck_assert_int_eq(tz_version(folder, sum, &err), 0);
	ck_assert_int_eq(strncmp(sum, "sum-", 4), 0);
	assert_version(sum);
	write_file("Here", "abd", 3);
	ck_assert_int_eq(tz_version(folder, other, &err), 0);
	ck_assert_str_ne(sum, other);
	write_file("+VERSION", "2024a\n", 6);
	assert_version("2024a");
	write_file("tzdata.zi", "# version 2025b\n# more\n", 23);
	assert_version("2025b");
	write_file("tzdata.zi", "R A 1 2\n", 8);
	assert_version("2024a");
	remove_file("Here");
	remove_file("+VERSION");
	remove_file("tzdata.zi");
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(tz_version(folder, other, &err), -1);
	ck_assert_int_eq(err.code, ERR_SYSTEM);
}
END_TEST

START_TEST(a_file_that_is_none_is_no_zone)
{
	struct err err = ERR_INIT;
	struct tz_set *set;
	char path[128];

	make_folder();
	snprintf(path, sizeof(path), "%s/Pipe", folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	set = tz_set_new(folder, &err);
	ck_assert_ptr_null(tz_find(set, SLICE("Pipe"), &err));
	ck_assert_int_eq(err.code, ERR_DATA);
	tz_set_free(set);
	remove_file("Pipe");
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(tzdir_says_where_the_files_are)
{
	ck_assert_int_eq(unsetenv("TZDIR"), 0);
	ck_assert_str_eq(tz_folder(), "/usr/share/zoneinfo");
	ck_assert_int_eq(setenv("TZDIR", "", 1), 0);
	ck_assert_str_eq(tz_folder(), "/usr/share/zoneinfo");
	ck_assert_int_eq(setenv("TZDIR", "/srv/zones", 1), 0);
	ck_assert_str_eq(tz_folder(), "/srv/zones");
}
END_TEST

/* --- files --------------------------------------------------------------- */

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
    {BYTES(""), "cut off"},
    {BYTES("TZif2"), "cut off"},
    {BYTES(EMPTY_V1), "cut off"},
    {BYTES("# version 2025b, and so on, for more than 44 bytes"), "begin with"},
    {BYTES("TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     "cut off"},
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
     "no local time type"},
    {BYTES(HEADER("\0", "\0", "\0", "\0", "\2", "\1",
		  "\4") "\0\0\0\1\0\0\0\1\0\0" UTC_TYPE),
     "not in order"},
    {BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE),
     "footer is missing"},
    {BYTES(EMPTY_V1 HEADER("2", "\0", "\0", "\0", "\0", "\1", "\4") UTC_TYPE
	   "\nUTC0"),
     "footer is cut off"},
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

SUITE("cron-tz")
{
	SUITE_TIMEOUT(60);
	TEST(all_zones_agree_with_glibc_from_1970_to_2100);
	TEST(a_zone_is_read_once);
	TEST(utc_needs_no_files);
	TEST_LOOP(a_bad_name_is_refused_with_advice, 0, N(bad_names));
	TEST(the_version_comes_from_a_file_or_is_a_checksum);
	TEST(a_file_that_is_none_is_no_zone);
	TEST(tzdir_says_where_the_files_are);
	TEST(the_first_version_has_32_bits_and_no_footer);
	TEST(the_footer_rules_when_there_are_no_transitions);
	TEST(summer_may_last_all_year);
	TEST_LOOP(a_bad_file_is_refused_and_said_to_be, 0, N(bad_files));
	TEST(a_file_cut_off_anywhere_is_refused);
	TEST_LOOP(a_bad_rule_is_refused, 0, N(bad_rules));
	TEST(a_rule_counts_days_in_three_ways);
}
