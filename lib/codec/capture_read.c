/* SPDX-License-Identifier: MIT */
/*
 * Reading what a command prints.
 *
 * The writer appends to one file, and makes the next one only when that is full.
 * So a reader that has found the next one, and then the end of its own, goes on
 * there. Files that were overtaken meanwhile are what is missing.
 */
#include "codec/capture_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"

/* No record is longer than what one read() of a pipe brings; a length beyond that
 * is damage. */
#define RECORD_MAX (1u << 20)

struct capture_reader {
	char *directory, *id;
	unsigned int attempt;
	int follow_fd;	 /* -1: it does not tell how far it is */
	int fd;		 /* -1: no file yet */
	uint64_t number; /* of the file */
	off_t at;	 /* the next record */
	uint64_t seen;	 /* bytes of output, with those that are not kept */
	uint64_t left_out;
	struct buf bytes;
	bool failed;
};

struct capture_reader *
capture_reader_new(const char *directory, const char *id, unsigned int attempt)
{
	struct capture_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->fd = r->follow_fd = -1;
	r->attempt = attempt;
	r->directory = strdup(directory);
	r->id = strdup(id);
	if (r->directory != NULL && r->id != NULL)
		return r;
	capture_reader_free(r);
	return NULL;
}

void
capture_reader_free(struct capture_reader *r)
{
	if (r == NULL)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->directory);
	free(r->id);
	buf_done(&r->bytes);
	free(r);
}

void
capture_reader_follow(struct capture_reader *r, int fd)
{
	r->follow_fd = fd;
}

static int
reader_damaged(struct capture_reader *r, struct err *err)
{
	r->failed = true;
	return err_set(err, ERR_DATA,
		       "what is kept of the output of task %s is damaged",
		       r->id);
}

/* 1: all bytes are there; 0: not yet; -1 with *err. */
static int
reader_get(struct capture_reader *r, int fd, void *p, size_t len, off_t at,
	   struct err *err)
{
	ssize_t n;

	do
		n = pread(fd, p, len, at);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n == (ssize_t)len;
	r->failed = true;
	return err_sys(err, ERR_SYSTEM, "cannot read the output of task %s",
		       r->id);
}

/* A file that is there, and what it begins with: its descriptor, -1: it is not
 * there, or has nothing yet. */
static int
reader_try(struct capture_reader *r, uint64_t number,
	   struct capture_begin *begin)
{
	char name[CAPTURE_NAME_SIZE], *path;
	struct capture_head head;
	int fd;

	capture_name(name, r->id, r->attempt, number);
	if (asprintf(&path, "%s/%s", r->directory, name) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	free(path);
	if (fd < 0)
		return -1;
	if (reader_get(r, fd, &head, sizeof(head), 0, NULL) == 1 &&
	    head.magic == CAPTURE_MAGIC + CAPTURE_BEGIN &&
	    head.len == sizeof(*begin) &&
	    reader_get(r, fd, begin, sizeof(*begin), sizeof(head), NULL) == 1)
		return fd;
	close(fd);
	return -1;
}

/* The next file that is there: of the two that take turns the one that comes
 * first, but after ours. */
static int
reader_find(struct capture_reader *r, struct capture_begin *ret)
{
	struct capture_begin begin;
	int fd, found = -1;
	uint64_t i;

	if (r->fd < 0)
		return reader_try(r, 0, ret);
	for (i = 1; i <= 2; i++) {
		if ((fd = reader_try(r, i, &begin)) < 0)
			continue;
		if (begin.number <= r->number ||
		    (found >= 0 && begin.number > ret->number)) {
			close(fd);
			continue;
		}
		if (found >= 0)
			close(found);
		found = fd;
		*ret = begin;
	}
	return found;
}

static void
reader_enter(struct capture_reader *r, int fd,
	     const struct capture_begin *begin)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->number = begin->number;
	if (r->follow_fd >= 0)
		capture_follow_tell(r->follow_fd, r->attempt, r->number);
	r->at = sizeof(struct capture_head) + sizeof(*begin);
	if (begin->before > r->seen)
		r->left_out += begin->before - r->seen;
	r->seen = begin->before;
}

/* A record of the file that is open. */
static int
reader_take(struct capture_reader *r, struct capture_record *ret,
	    struct err *err)
{
	struct capture_head head;
	int got = reader_get(r, r->fd, &head, sizeof(head), r->at, err);

	if (got <= 0)
		return got;
	if ((head.magic != CAPTURE_MAGIC + CAPTURE_STDOUT &&
	     head.magic != CAPTURE_MAGIC + CAPTURE_STDERR) ||
	    head.len > RECORD_MAX)
		return reader_damaged(r, err);
	buf_reset(&r->bytes);
	if (buf_reserve(&r->bytes, head.len + 1) != 0)
		return err_nomem(err);
	got = reader_get(r, r->fd, r->bytes.data, head.len,
			 r->at + (off_t)sizeof(head), err);
	if (got <= 0)
		return got;
	r->at += (off_t)(sizeof(head) + head.len);
	r->seen += head.len;
	*ret = (struct capture_record){
	    .stream = (enum capture_stream)(head.magic - CAPTURE_MAGIC),
	    .wall_us = head.wall_us,
	    .bytes = {r->bytes.data, head.len},
	    .left_out = r->left_out};
	r->left_out = 0;
	return 1;
}

int
capture_next(struct capture_reader *r, struct capture_record *ret,
	     struct err *err)
{
	struct capture_begin begin;
	int got, fd;

	if (r->failed)
		return 0;
	for (;;) {
		if (r->fd >= 0 && (got = reader_take(r, ret, err)) != 0)
			return got;
		/* Found first, and then ours is looked at once more: it may
		 * have grown until the next one was made. */
		if ((fd = reader_find(r, &begin)) < 0)
			return 0;
		if (r->fd >= 0 && (got = reader_take(r, ret, err)) != 0) {
			close(fd);
			return got;
		}
		reader_enter(r, fd, &begin);
	}
}

/* --- attempts ------------------------------------------------------------------ */

static int
compare_attempts(const void *a, const void *b)
{
	const unsigned int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

unsigned int *
capture_attempts(const char *directory, const char *id, size_t *ret_n,
		 struct err *err)
{
	unsigned int *list = NULL, *more, attempt;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	*ret_n = 0;
	if (dir == NULL) {
		if (errno != ENOENT)
			err_sys(err, ERR_SYSTEM, "cannot read %s", directory);
		return NULL;
	}
	while ((entry = readdir(dir)) != NULL) {
		attempt = capture_attempt_of(entry->d_name, id);
		if (attempt == 0)
			continue;
		more = reallocarray(list, *ret_n + 1, sizeof(*list));
		if (more == NULL) {
			err_nomem(err);
			break;
		}
		list = more;
		list[(*ret_n)++] = attempt;
	}
	closedir(dir);
	if (*ret_n > 1)
		qsort(list, *ret_n, sizeof(*list), compare_attempts);
	return list;
}
