/* SPDX-License-Identifier: MIT */
/* What processes hand to one another beside the database. */
#include "sqlite/relay.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"

#define PIECE (3 << 20)

static int dir_fd;

static void
begin(void)
{
	dir_fd = open(suite_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir_fd, 0);
}

static struct relay *
opened(void)
{
	struct relay *r;
	struct err err;

	begin();
	r = relay_open(dir_fd, &err);
	ck_assert_msg(r != NULL, "%s", err.msg);
	return r;
}

static void
closed(struct relay *r)
{
	relay_close(r);
	close(dir_fd);
}

static off_t
size(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir_fd, RELAY_NAME, &st, 0), 0);
	return st.st_size;
}

START_TEST(a_piece_is_read_by_another_process)
{
	struct relay *r = opened(), *other = relay_open(dir_fd, NULL);
	char text[5];

	ck_assert_int_eq(relay_write(r, 0, 1, SLICE("first"), NULL), 0);
	ck_assert_int_eq(relay_write(r, RELAY_SPAN(5), 2, SLICE("other"), NULL),
			 0);
	ck_assert(relay_read(other, RELAY_SPAN(5), 2, text, 5));
	ck_assert_mem_eq(text, "other", 5);
	ck_assert(relay_read(other, 0, 1, text, 5));
	ck_assert_mem_eq(text, "first", 5);
	relay_close(other);
	closed(r);
}
END_TEST

START_TEST(a_piece_that_is_another_ones_is_not_read)
{
	struct relay *r = opened();
	char text[8];

	ck_assert(!relay_read(r, 0, 1, text, 1)); /* an empty file */
	ck_assert_int_eq(relay_write(r, 0, 1, SLICE("first"), NULL), 0);
	ck_assert(!relay_read(r, 0, 2, text, 5));
	ck_assert(!relay_read(r, 0, 1, text, 6)); /* more than there is */
	/* A hole, as of what another file has. */
	ck_assert_int_eq(relay_write(r, 4096, 3, SLICE("third"), NULL), 0);
	ck_assert(!relay_read(r, 1024, 2, text, 5));
	relay_empty(r);
	ck_assert_int_eq(size(), 0);
	ck_assert(!relay_read(r, 0, 1, text, 5));
	closed(r);
}
END_TEST

START_TEST(it_is_a_ring)
{
	struct relay *r = opened();
	char *piece = malloc(PIECE), *back = malloc(PIECE);
	int64_t at = 0;
	int n;

	ck_assert(piece != NULL && back != NULL);
	/* Twice around; each piece but those at the seam lies in one. */
	for (n = 1; at < 2 * RELAY_BYTES; n++) {
		memset(piece, n, PIECE);
		ck_assert_int_eq(
		    relay_write(r, at, n, (struct slice){piece, PIECE}, NULL),
		    0);
		ck_assert(relay_read(r, at, n, back, PIECE));
		ck_assert_mem_eq(piece, back, PIECE);
		at += RELAY_SPAN(PIECE);
	}
	ck_assert_int_le(size(), RELAY_BYTES);
	/* All that was written last is there, the oldest is not. */
	ck_assert(
	    relay_read(r, at - 30 * RELAY_SPAN(PIECE), n - 30, back, PIECE));
	ck_assert(!relay_read(r, 0, 1, back, PIECE));
	free(piece);
	free(back);
	closed(r);
}
END_TEST

/* As a damaged database may have them. */
START_TEST(impossible_places_are_refused)
{
	static const int64_t places[] = {-1, INT64_MIN, INT64_MAX,
					 INT64_MAX - RELAY_BYTES + 1};
	struct relay *r = opened();
	char text[1];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		ck_assert_int_eq(relay_write(r, places[i], 1, SLICE("x"), NULL),
				 -1);
		ck_assert(!relay_read(r, places[i], 1, text, 1));
	}
	ck_assert(!relay_read(r, 0, 1, text, (size_t)RELAY_BYTES));
	ck_assert(!relay_read(r, 0, 1, text, SIZE_MAX));
	ck_assert_int_eq(size(), 0);
	closed(r);
}
END_TEST

static void
refused(void)
{
	struct err err;

	ck_assert_ptr_null(relay_open(dir_fd, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, RELAY_NAME));
	ck_assert_int_eq(unlinkat(dir_fd, RELAY_NAME, 0), 0);
}

START_TEST(what_is_not_a_file_of_its_own_is_refused)
{
	int fd;

	begin();
	fd = openat(dir_fd, "victim", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(symlinkat("victim", dir_fd, RELAY_NAME), 0);
	refused();
	ck_assert_int_eq(linkat(dir_fd, "victim", dir_fd, RELAY_NAME, 0), 0);
	refused();
	ck_assert_int_eq(mkfifoat(dir_fd, RELAY_NAME, 0600), 0);
	refused();
	close(dir_fd);
}
END_TEST

SUITE("sqlite-relay")
{
	TEST(a_piece_is_read_by_another_process);
	TEST(a_piece_that_is_another_ones_is_not_read);
	TEST(it_is_a_ring);
	TEST(impossible_places_are_refused);
	TEST(what_is_not_a_file_of_its_own_is_refused);
}
