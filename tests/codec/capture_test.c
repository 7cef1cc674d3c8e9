/* SPDX-License-Identifier: MIT */
/* What commands print, kept in files of bounded size, and read back. */
#include "codec/capture.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "codec/capture_read.h"
#include "suite.h"
#include "util/buf.h"
#include "util/err.h"

static char dir[64];

static void
begin(void)
{
	strcpy(dir, "/tmp/flowrra-capture-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
end(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct capture *
writer(const char *id, unsigned int attempt, uint64_t max)
{
	struct capture *c =
	    capture_new(&(struct capture_options){dir, id, attempt, max, 0});

	ck_assert_ptr_nonnull(c);
	return c;
}

static void
put(struct capture *c, enum capture_stream stream, const char *text)
{
	struct err err = ERR_INIT;
	size_t used;

	ck_assert_msg(capture_add(c, stream, text, strlen(text), &used, &err) ==
			  0,
		      "%s", err.msg);
}

/* All that a reader has now: "1:text 2:text ", and "-n " for what is missing. */
static void
take(struct capture_reader *r, struct buf *out)
{
	struct capture_record record;
	struct err err = ERR_INIT;
	int got;

	while ((got = capture_next(r, &record, &err)) == 1) {
		if (record.left_out > 0)
			buf_addf(out, "-%llu ",
				 (unsigned long long)record.left_out);
		buf_addf(out, "%d:%.*s ", (int)record.stream,
			 (int)record.bytes.len, record.bytes.p);
	}
	ck_assert_msg(got == 0, "%s", err.msg);
}

static void
expect(struct capture_reader *r, const char *text)
{
	struct buf out = BUF_INIT;

	take(r, &out);
	ck_assert_str_eq(out.data != NULL ? out.data : "", text);
	buf_done(&out);
}

START_TEST(what_is_printed_comes_back_in_its_order)
{
	struct capture_reader *r;
	struct capture *c;

	begin();
	r = capture_reader_new(dir, "17", 1);
	expect(r, "");
	c = writer("17", 1, 1 << 20);
	expect(r, "");
	put(c, CAPTURE_STDOUT, "one");
	expect(r, "1:one ");
	put(c, CAPTURE_STDERR, "two");
	put(c, CAPTURE_STDOUT, "three");
	expect(r, "2:two 1:three ");
	expect(r, "");
	capture_free(c);
	expect(r, "");
	capture_reader_free(r);
	end();
}
END_TEST

/* Bytes of a counter, so that each has its place. */
static void
put_counted(struct capture *c, size_t from, size_t to)
{
	struct err err = ERR_INIT;
	char line[32];
	size_t used;

	for (; from < to; from++) {
		snprintf(line, sizeof(line), "%07zu\n", from);
		ck_assert_int_eq(
		    capture_add(c, CAPTURE_STDOUT, line, 8, &used, &err), 0);
	}
}

static off_t
size_of_all(const char *id)
{
	char name[CAPTURE_NAME_SIZE], path[512];
	struct stat st;
	off_t total = 0;
	uint64_t i;

	for (i = 0; i <= 2; i++) {
		capture_name(name, id, 1, i);
		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (stat(path, &st) == 0)
			total += st.st_size;
	}
	return total;
}

/* Reads all; each byte that is there is the right one for its place, and the bytes
 * that are said to be missing make up the rest. Returns how many are missing. */
static uint64_t
check_counted(struct capture_reader *r, uint64_t *at, uint64_t total)
{
	struct capture_record record;
	uint64_t missing = 0;
	char line[32];
	size_t i;

	while (capture_next(r, &record, NULL) == 1) {
		missing += record.left_out;
		*at += record.left_out;
		for (i = 0; i < record.bytes.len; i++, (*at)++) {
			snprintf(line, sizeof(line), "%07llu\n",
				 (unsigned long long)(*at / 8));
			ck_assert_int_eq(record.bytes.p[i], line[*at % 8]);
		}
	}
	ck_assert_uint_eq(*at, total);
	return missing;
}

START_TEST(of_a_long_output_the_beginning_and_the_end_stay)
{
	const size_t lines[] = {100, 2000, 8000, 100000};
	struct capture_reader *r;
	struct capture *c;
	uint64_t at = 0, missing;

	begin();
	c = writer("17", 1, 65536);
	put_counted(c, 0, lines[_i]);
	capture_free(c);
	ck_assert_int_le(size_of_all("17"), 65536 + 1024);
	r = capture_reader_new(dir, "17", 1);
	missing = check_counted(r, &at, lines[_i] * 8);
	/* Each line is a record of 24 bytes here. */
	ck_assert(lines[_i] * 24 < 60000 ? missing == 0 : missing > 0);
	capture_reader_free(r);
	end();
}
END_TEST

/* Also one whose file another has taken the place of meanwhile. */
START_TEST(a_reader_that_keeps_up_misses_nothing)
{
	struct capture_reader *r;
	struct capture *c;
	uint64_t at = 0;
	size_t i;

	begin();
	c = writer("17", 1, 65536);
	r = capture_reader_new(dir, "17", 1);
	for (i = 0; i < 200; i++) {
		put_counted(c, i * 500, (i + 1) * 500);
		ck_assert_uint_eq(check_counted(r, &at, (i + 1) * 500 * 8), 0);
	}
	capture_free(c);
	capture_reader_free(r);
	end();
}
END_TEST

/* The last file grows, as far as it may; and nothing is left out. */
START_TEST(a_writer_goes_on_for_a_follower_that_is_slow)
{
	const struct capture_options o = {dir, "17", 1, 65536, 1 << 20};
	char bytes[4096] = "";
	struct err err = ERR_INIT;
	struct capture_reader *r;
	struct capture *c;
	struct buf out = BUF_INIT;
	size_t used, total = 0;
	int fd, got = 0;

	begin();
	memset(bytes, 'x', sizeof(bytes));
	fd = capture_follow_begin(dir, "17", &err);
	c = capture_new(&o);
	while ((got = capture_add(c, CAPTURE_STDOUT, bytes, sizeof(bytes),
				  &used, &err)) == 0)
		total += used;
	ck_assert_int_eq(got, 1);
	ck_assert_uint_gt(total, (1 << 20) + 60000);
	ck_assert_uint_lt(total, (1 << 20) + 80000);
	r = capture_reader_new(dir, "17", 1);
	capture_reader_follow(r, fd);
	take(r, &out);
	ck_assert_ptr_null(strchr(out.data, '-'));
	ck_assert_uint_gt(out.len, total);
	/* It has caught up: the next file is as large as ever. */
	ck_assert_int_eq(
	    capture_add(c, CAPTURE_STDOUT, bytes, sizeof(bytes), &used, &err),
	    0);
	put(c, CAPTURE_STDERR, "end");
	buf_reset(&out);
	take(r, &out);
	ck_assert_uint_eq(out.len, sizeof(bytes) + strlen("1: 2:end "));
	capture_follow_end(fd, dir, "17");
	capture_reader_free(r);
	capture_free(c);
	buf_done(&out);
	end();
}
END_TEST

/* No file is overwritten that it has not opened; when it ends, nothing waits. */
START_TEST(a_writer_waits_for_a_follower_that_lives)
{
	char bytes[4096] = "";
	struct err err = ERR_INIT;
	struct capture_reader *r;
	struct capture *c;
	struct buf out = BUF_INIT;
	size_t used, total = 0;
	int fd, got = 0, i;

	begin();
	fd = capture_follow_begin(dir, "17", &err);
	ck_assert_msg(fd >= 0, "%s", err.msg);
	c = writer("17", 1, 65536);
	while ((got = capture_add(c, CAPTURE_STDOUT, bytes, sizeof(bytes),
				  &used, &err)) == 0)
		total += used;
	ck_assert_int_eq(got, 1);
	total += used;
	/* A half and two quarters. */
	ck_assert_uint_gt(total, 60000);
	ck_assert_uint_lt(total, 65536);
	r = capture_reader_new(dir, "17", 1);
	capture_reader_follow(r, fd);
	for (i = 0; i < 50; i++) {
		buf_reset(&out);
		take(r, &out);
		ck_assert_ptr_null(strchr(out.data, '-'));
		while ((got = capture_add(c, CAPTURE_STDOUT, bytes,
					  sizeof(bytes), &used, &err)) == 0)
			;
		ck_assert_int_eq(got, 1);
	}
	/* The last of it is kept at once. */
	capture_hurry(c);
	ck_assert_int_eq(
	    capture_add(c, CAPTURE_STDOUT, bytes, sizeof(bytes), &used, &err),
	    0);
	buf_reset(&out);
	take(r, &out);
	ck_assert_ptr_null(strchr(out.data, '-'));
	capture_follow_end(fd, dir, "17");
	put_counted(c, 0, 20000);
	capture_reader_free(r);
	capture_free(c);
	buf_done(&out);
	end();
}
END_TEST

START_TEST(a_later_run_of_an_attempt_begins_anew)
{
	struct capture_reader *r;
	struct capture *c;

	begin();
	c = writer("17", 1, 65536);
	put_counted(c, 0, 20000);
	capture_free(c);
	c = writer("17", 1, 65536);
	ck_assert_int_eq(size_of_all("17"), 0);
	put(c, CAPTURE_STDOUT, "new");
	capture_free(c);
	r = capture_reader_new(dir, "17", 1);
	expect(r, "1:new ");
	capture_reader_free(r);
	end();
}
END_TEST

static const char *const ids[] = {
    "17",
    "8fb37713-716f-438c-884e-c73492692d08",
    "../../etc/passwd",
    "a/b",
    ".",
    "..",
    "%2F",
    "a.1",
    "=",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "xx"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/x"};

START_TEST(no_id_leads_out_of_the_directory_or_to_another)
{
	char name[CAPTURE_NAME_SIZE], other[CAPTURE_NAME_SIZE];
	size_t i;

	capture_name(name, ids[_i], 4000000000u, 2);
	ck_assert_ptr_null(strchr(name, '/'));
	ck_assert_int_ne(name[0], '.');
	ck_assert_uint_lt(strlen(name), 255);
	ck_assert_uint_eq(capture_attempt_of(name, ids[_i]), 0);
	capture_name(name, ids[_i], 4000000000u, 0);
	ck_assert_uint_eq(capture_attempt_of(name, ids[_i]), 4000000000u);
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		capture_name(other, ids[i], 4000000000u, 0);
		ck_assert(((size_t)_i == i) == (strcmp(name, other) == 0));
	}
}
END_TEST

START_TEST(attempts_are_found_in_their_order)
{
	struct err err = ERR_INIT;
	struct capture *c;
	unsigned int *list;
	size_t n;
	unsigned int i;

	begin();
	for (i = 12; i > 0; i -= 3) {
		c = writer("1", i, 65536);
		put(c, CAPTURE_STDOUT, "x");
		capture_free(c);
		c = writer("11", i, 65536);
		put_counted(c, 0, 20000);
		capture_free(c);
	}
	list = capture_attempts(dir, "1", &n, &err);
	ck_assert_uint_eq(n, 4);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(list[i], 3 * (i + 1));
	free(list);
	ck_assert_ptr_null(capture_attempts(dir, "2", &n, &err));
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(err.code, ERR_NONE);
	end();
}
END_TEST

/* Whatever is there: an error or nothing, and no end of the process. */
START_TEST(a_damaged_file_is_an_error)
{
	static const char *const damage[] = {"", "x",
					     "flowrra flowrra flowrra ", NULL};
	struct capture_record record;
	struct capture_reader *r;
	struct err err = ERR_INIT;
	char path[128];
	struct capture *c;
	int fd, got;

	begin();
	c = writer("17", 1, 65536);
	put(c, CAPTURE_STDOUT, "one");
	capture_free(c);
	snprintf(path, sizeof(path), "%s/17.1", dir);
	fd = open(path, O_WRONLY | (damage[_i] != NULL ? O_APPEND : O_TRUNC));
	if (damage[_i] != NULL)
		ck_assert_int_ge(write(fd, damage[_i], strlen(damage[_i])), 0);
	close(fd);
	r = capture_reader_new(dir, "17", 1);
	got = capture_next(r, &record, &err);
	ck_assert_int_eq(got, damage[_i] != NULL);
	got = capture_next(r, &record, &err);
	ck_assert_int_eq(got, _i == 2 ? -1 : 0);
	ck_assert_int_eq(capture_next(r, &record, &err), 0);
	capture_reader_free(r);
	end();
}
END_TEST

/* --- bounds -------------------------------------------------------------------- */

static bool
is_there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void
set_age(const char *name, int64_t age_s)
{
	char path[128];
	struct timespec times[2] = {{.tv_sec = time(NULL) - age_s},
				    {.tv_sec = time(NULL) - age_s}};

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(the_oldest_go_first_and_none_that_is_written)
{
	struct capture *running, *c;
	char id[8], name[16];
	int i;

	begin();
	running = writer("run", 1, 65536);
	put_counted(running, 0, 20000);
	set_age("run.1", 100000);
	set_age("run.1.1", 100000);
	for (i = 1; i <= 5; i++) {
		snprintf(id, sizeof(id), "%d", i);
		c = writer(id, 1, 65536);
		put_counted(c, 0, 1000);
		capture_free(c);
		snprintf(name, sizeof(name), "%d.1", i);
		set_age(name, 1000 - i);
	}
	/* 24 kB each, and 64 of the one that runs. */
	ck_assert_uint_le(capture_sweep(dir, 50000, 120000), 120000);
	ck_assert(!is_there("1.1") && !is_there("2.1") && !is_there("3.1"));
	ck_assert(is_there("4.1") && is_there("5.1") && is_there("run.1"));
	ck_assert(is_there("run.1.1") && is_there("run.1.2"));
	capture_sweep(dir, 995, 1 << 30);
	ck_assert(is_there("5.1") || is_there("4.1"));
	capture_sweep(dir, 10, 1 << 30);
	ck_assert(!is_there("4.1") && !is_there("5.1") && is_there("run.1"));
	capture_free(running);
	capture_sweep(dir, 50000, 1 << 30);
	ck_assert(!is_there("run.1"));
	end();
}
END_TEST

START_TEST(a_full_disk_is_told_once_and_what_was_kept_stays_good)
{
	struct err err = ERR_INIT;
	struct capture_reader *r;
	struct buf out = BUF_INIT;
	struct capture *c;
	size_t used;
	char bytes[256] = "";

	/* In a namespace of its own, which goes with the process. */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return;
	begin();
	ck_assert_int_eq(mount("none", dir, "tmpfs", 0, "size=16k"), 0);
	c = writer("17", 1, 1 << 20);
	put(c, CAPTURE_STDOUT, "one");
	while (capture_add(c, CAPTURE_STDOUT, bytes, sizeof(bytes), &used,
			   &err) == 0)
		;
	ck_assert_ptr_nonnull(strstr(err.msg, "No space left"));
	ck_assert_int_eq(capture_add(c, CAPTURE_STDOUT, "x", 1, &used, &err),
			 0);
	capture_free(c);
	r = capture_reader_new(dir, "17", 1);
	take(r, &out);
	ck_assert_int_eq(strncmp(out.data, "1:one ", 6), 0);
	buf_done(&out);
	capture_reader_free(r);
	ck_assert_int_eq(umount(dir), 0);
	end();
}
END_TEST

SUITE("capture")
{
	TEST(what_is_printed_comes_back_in_its_order);
	TEST_LOOP(of_a_long_output_the_beginning_and_the_end_stay, 0, 4);
	TEST(a_reader_that_keeps_up_misses_nothing);
	TEST(a_writer_goes_on_for_a_follower_that_is_slow);
	TEST(a_writer_waits_for_a_follower_that_lives);
	TEST(a_later_run_of_an_attempt_begins_anew);
	TEST_LOOP(no_id_leads_out_of_the_directory_or_to_another, 0,
		  sizeof(ids) / sizeof(ids[0]));
	TEST(attempts_are_found_in_their_order);
	TEST_LOOP(a_damaged_file_is_an_error, 0, 4);
	TEST(the_oldest_go_first_and_none_that_is_written);
	TEST(a_full_disk_is_told_once_and_what_was_kept_stays_good);
}
