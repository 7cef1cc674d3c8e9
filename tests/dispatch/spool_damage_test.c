/* SPDX-License-Identifier: MIT */
/* A spool that is damaged: what is whole is read, and the rest is put aside, and
 * named in the log. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dispatch/spool_file.h"
#include "dispatch/worker.h"
#include "suite.h"

#define RECORD "{\"task_id\":\"t1\",\"status\":\"success\",\"n\":1}"

#define ck_in_log(text)                                                        \
	ck_assert_msg(strstr(worker_log(), text) != NULL, "%s", worker_log())

/* Of the record of t2 in a file of four. */
static struct {
	char path[64], aside[80], other[80];
	off_t size; /* of one frame; all are as long */
	struct buf found;
} at;

static bool
on_damage_found(struct slice id, struct slice record, void *arg)
{
	ck_assert(slice_eq(record, SLICE(RECORD)));
	buf_addf(&at.found, "%.*s ", (int)id.len, id.p);
	return true;
}

static off_t
damage_size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* What is read of it; all of the log is of this. */
static const char *
damage_read(const char *path)
{
	struct spool_file *s;
	struct err err = ERR_INIT;

	buf_done(&at.found);
	worker_log_begin();
	s = spool_file_open(path, on_damage_found, NULL, &err);
	ck_assert_msg(s != NULL, "%s", err.msg);
	spool_file_close(s);
	buf_addc(&at.found, '\0');
	return at.found.data;
}

static void
damage_make(const char *path, unsigned int first)
{
	struct spool_file *s;
	struct err err = ERR_INIT;
	char id[8];
	unsigned int i;

	s = spool_file_open(path, on_damage_found, NULL, &err);
	for (i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "t%u", first + i);
		spool_file_put(s, slice_of(id), SLICE(RECORD));
	}
	spool_file_close(s);
	at.size = damage_size_of(path) / 4;
}

static void
damage_setup(void)
{
	snprintf(at.path, sizeof(at.path), "/tmp/spool-damage-%d",
		 (int)getpid());
	snprintf(at.aside, sizeof(at.aside), "%s.damaged", at.path);
	snprintf(at.other, sizeof(at.other), "%s-other", at.path);
	damage_make(at.path, 1);
}

static void
damage_teardown(void)
{
	unlink(at.path);
	unlink(at.aside);
	unlink(at.other);
	buf_done(&at.found);
}

static void
damage_write(off_t offset, const char *bytes, size_t n)
{
	const int fd = open(at.path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, bytes, n, offset), (ssize_t)n);
	close(fd);
}

/* The frame is magic, length of the ID, length of the record, sum, ID, record. */
static const struct {
	off_t at;
	const char *bytes;
	size_t n;
	const char *says;
} damages[] = {
    {0, "XXXX", 4, "bytes are damaged"},
    {4, "\xff\xff\xff\xff", 4, "bytes are damaged"},
    {4, "\x00\x00\x00\x00", 4, "bytes are damaged"},
    {8, "\xff\xff\xff\x03", 4, "the record of task t2 is damaged"},
    {8, "\x00\x00\x00\x00", 4, "the record of task t2 is damaged"},
    {12, "XXXX", 4, "the record of task t2 is damaged"},
    {20, "\0\0", 2, "the record of task t2 is damaged"},
};

START_TEST(a_damaged_record_costs_none_but_itself)
{
	damage_setup();
	damage_write(at.size + damages[_i].at, damages[_i].bytes,
		     damages[_i].n);
	ck_assert_str_eq(damage_read(at.path), "t1 t3 t4 ");
	ck_in_log(damages[_i].says);
	ck_in_log(at.aside);
	ck_assert_int_eq(damage_size_of(at.aside), at.size);
	/* That was once: the file is whole again. */
	ck_assert_int_eq(damage_size_of(at.path), 3 * at.size);
	ck_assert_str_eq(damage_read(at.path), "t1 t3 t4 ");
	ck_assert_int_eq(damage_size_of(at.aside), at.size);
	damage_teardown();
}
END_TEST

START_TEST(a_file_that_is_not_a_spool_is_put_aside)
{
	static const char zeros[300];

	damage_setup();
	ck_assert_int_eq(truncate(at.path, 200), 0);
	damage_write(0, zeros, 200);
	ck_assert_str_eq(damage_read(at.path), "");
	ck_assert_int_eq(damage_size_of(at.aside), 200);
	ck_assert_int_eq(damage_size_of(at.path), 0);
	damage_teardown();
}
END_TEST

/* Of a record that is there twice, both are told of: the store keeps the first. */
START_TEST(bytes_between_and_before_and_doubles_cost_nothing)
{
	char frame[256];
	const int fd = (damage_setup(), open(at.path, O_RDWR | O_CLOEXEC));

	ck_assert_int_lt(at.size, (off_t)sizeof(frame));
	ck_assert_int_eq(pread(fd, frame, (size_t)at.size, at.size), at.size);
	ck_assert_int_eq(pwrite(fd, "odd", 3, 4 * at.size), 3);
	ck_assert_int_eq(pwrite(fd, frame, (size_t)at.size, 4 * at.size + 3),
			 at.size);
	ck_assert_int_eq(pwrite(fd, "FSPL", 4, 5 * at.size + 3), 4);
	close(fd);
	ck_assert_str_eq(damage_read(at.path), "t1 t2 t3 t4 t2 ");
	ck_assert_int_eq(damage_size_of(at.aside), 3);
	damage_teardown();
}
END_TEST

START_TEST(what_is_put_aside_comes_behind_what_was)
{
	damage_setup();
	damage_write(0, "X", 1);
	damage_read(at.path);
	damage_write(0, "X", 1);
	ck_assert_str_eq(damage_read(at.path), "t3 t4 ");
	ck_assert_int_eq(damage_size_of(at.aside), 2 * at.size);
	damage_teardown();
}
END_TEST

/* With no room for it, it stays where it is, even if all else has been stored. */
START_TEST(damage_that_cannot_be_put_aside_stays)
{
	struct spool_file *s;
	struct err err;

	damage_setup();
	damage_write(at.size + 12, "XXXX", 4);
	ck_assert_int_eq(mkdir(at.aside, 0700), 0);
	ck_assert_str_eq(damage_read(at.path), "t1 t3 t4 ");
	ck_in_log("the spool keeps what is damaged");
	s = spool_file_open(at.path, on_damage_found, NULL, &err);
	spool_file_clear(s);
	spool_file_put(s, SLICE("t5"), SLICE(RECORD));
	spool_file_close(s);
	ck_assert_int_eq(rmdir(at.aside), 0);
	ck_assert_str_eq(damage_read(at.path), "t1 t3 t4 t5 ");
	ck_assert_int_eq(damage_size_of(at.aside), at.size);
	damage_teardown();
}
END_TEST

START_TEST(damage_of_another_spool_is_put_aside_here)
{
	struct err err = ERR_INIT;
	char aside[100];

	damage_setup();
	damage_write(at.size + 12, "XXXX", 4);
	ck_assert_int_eq(rename(at.path, at.other), 0);
	damage_make(at.path, 5);
	ck_assert_msg(spool_file_adopt(at.path, at.other, &err) == 0, "%s",
		      err.msg);
	ck_assert_str_eq(damage_read(at.path), "t5 t6 t7 t8 t1 t3 t4 ");
	ck_assert_int_eq(damage_size_of(at.aside), at.size);
	snprintf(aside, sizeof(aside), "%s.damaged", at.other);
	ck_assert_int_eq(damage_size_of(aside), -1);
	damage_teardown();
}
END_TEST

/* --- a worker ------------------------------------------------------------ */

/* Whole, but not what a worker writes: an ID or a record with a NUL would be read
 * beyond its copy. */
static const struct {
	struct slice id, record;
} strange[] = {
    {SLICE("t\0x"), SLICE(RECORD)},
    {SLICE(""), SLICE(RECORD)},
    {SLICE("t1"), SLICE("{\"a\":\"\0\"}")},
    {SLICE("t1"), SLICE("\0")},
    {SLICE("t1"), SLICE("")},
    {SLICE("t1"), SLICE("[1]")},
    {SLICE("t1"), SLICE("{\"task_id\":")},
};

START_TEST(a_worker_puts_aside_what_is_not_a_record)
{
	char path[64], aside[80];
	struct spool_file *s;
	struct worker *w;
	struct err err;

	snprintf(path, sizeof(path), "/tmp/dispatch-%d.spool", (int)getpid());
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	s = spool_file_open(path, on_damage_found, NULL, &err);
	spool_file_put(s, strange[_i].id, strange[_i].record);
	spool_file_put(s, SLICE("good"), SLICE(RECORD));
	spool_file_close(s);
	worker_log_begin();
	w = worker_begin();
	ck_in_log(aside);
	ck_assert_int_eq(
	    damage_size_of(aside),
	    (off_t)(16 + strange[_i].id.len + strange[_i].record.len));
	FAKE_WAIT(&w->store, damage_size_of(path) == 0);
	ck_in(w->store.last_record, RECORD);
	worker_end(w);
	unlink(aside);
}
END_TEST

SUITE("dispatch-spool-damage")
{
	TEST_LOOP(a_damaged_record_costs_none_but_itself, 0,
		  sizeof(damages) / sizeof(damages[0]));
	TEST(a_file_that_is_not_a_spool_is_put_aside);
	TEST(bytes_between_and_before_and_doubles_cost_nothing);
	TEST(what_is_put_aside_comes_behind_what_was);
	TEST(damage_that_cannot_be_put_aside_stays);
	TEST(damage_of_another_spool_is_put_aside_here);
	TEST_LOOP(a_worker_puts_aside_what_is_not_a_record, 0,
		  sizeof(strange) / sizeof(strange[0]));
}
