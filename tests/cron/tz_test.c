/* SPDX-License-Identifier: MIT */
/* Zones: names, versions, the system's data against glibc, and bad files. */
#include "cron/tz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
	struct tz_names names;
	const struct tz *zone;
	size_t transitions = 0, i;
	struct tz_set *set;

	/* The system's, whatever its rules are: both read the same files. */
	unsetenv("TZDIR");
	set = tz_set_new(NULL, &err);
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
    {"../zoneinfo/UTC", "not a valid time zone name"},
    {"Europe/../UTC", "not a valid time zone name"},
    {"/usr/share/zoneinfo/UTC", "not a valid time zone name"},
    {"Europe//Berlin", "not a valid time zone name"},
    {"Europe/", "not a valid time zone name"},
    {".hidden", "not a valid time zone name"},
    {":UTC", "not a valid time zone name"},
    {"America/New York", "America/New_York"},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "not a valid time zone name"},
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
}
