/* SPDX-License-Identifier: MIT */
/*
 * What a task has printed, from the files of this machine's workers.
 *
 * A cursor is an attempt and a number of bytes of it, counted with those that are
 * not kept. A line that has no end yet is told with the next ones, unless it is long
 * or its attempt is not the last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/capture.h"
#include "codec/capture_read.h"
#include "util/err.h"
#include "util/utf8.h"
#include "web/logs.h"

/* Of an answer: as much as a page can show at once, and more than a screen. */
#define ANSWER_BYTES (256 << 10)
/* A line that is longer is told in parts. */
#define PART_BYTES (64 << 10)
/* Of a character. */
#define UTF8_MAX 4

struct place {
	unsigned int attempt;
	uint64_t bytes;
};

struct files {
	const char *directory, *id;
	bool ended;
	json_t *lines;
	struct place next; /* where the next answer begins */
	size_t told;	   /* bytes in this one */
	/* Of the attempt that is read: where its next byte is, and the line that
	 * has no end yet. */
	uint64_t at;
	struct buf open;
	enum capture_stream open_stream;
	int64_t open_us;
};

static void
files_tell(struct files *f, size_t len)
{
	logs_add_line(f->lines, f->open_us, f->next.attempt,
		      f->open_stream == CAPTURE_STDERR ? "stderr" : "stdout",
		      (struct slice){f->open.data, len});
	f->told += len;
	buf_drain(&f->open, len);
	f->next.bytes = f->at - f->open.len;
}

static void
files_tell_open(struct files *f)
{
	if (f->open.len > 0)
		files_tell(f, f->open.len);
}

/* Leaves the last character to the next part, since it may be incomplete. Bytes that are
 * not UTF-8 may be cut anywhere. */
static void
files_tell_part(struct files *f)
{
	const size_t len = utf8_cut(f->open.data, f->open.len, f->open.len - 1);

	files_tell(f, f->open.len - len <= UTF8_MAX ? len : f->open.len);
}

/* An empty line is one, too. */
static void
files_end_line(struct files *f, enum capture_stream stream, int64_t us)
{
	if (f->open.len > 0)
		files_tell_open(f);
	else
		logs_add_line(f->lines, us, f->next.attempt,
			      stream == CAPTURE_STDERR ? "stderr" : "stdout",
			      SLICE(""));
	f->told++;
	f->next.bytes = f->at;
}

static void
files_add_bytes(struct files *f, const struct capture_record *r, const char *p,
		size_t len)
{
	const char *end;
	size_t n;

	/* Two streams do not make one line. */
	if (f->open.len > 0 && f->open_stream != r->stream)
		files_tell_open(f);
	while (len > 0 && f->told < ANSWER_BYTES) {
		end = memchr(p, '\n', len);
		n = end != NULL ? (size_t)(end - p) : len;
		if (n > PART_BYTES - f->open.len) {
			n = PART_BYTES - f->open.len;
			end = NULL;
		}
		if (f->open.len == 0)
			f->open_us = r->wall_us;
		f->open_stream = r->stream;
		buf_add(&f->open, p, n);
		f->at += n + (end != NULL);
		p += n + (end != NULL);
		len -= n + (end != NULL);
		if (end != NULL)
			files_end_line(f, r->stream, r->wall_us);
		else if (f->open.len >= PART_BYTES)
			files_tell_part(f);
	}
}

static void
files_add_gap(struct files *f, const struct capture_record *r)
{
	char text[64];

	files_tell_open(f);
	f->at += r->left_out;
	f->next.bytes = f->at;
	snprintf(text, sizeof(text), "[%" PRIu64 " bytes left out]",
		 r->left_out);
	logs_add_line(f->lines, r->wall_us, f->next.attempt, "stdout",
		      slice_of(text));
}

/* What was told before is passed over. */
static void
files_add_record(struct files *f, const struct capture_record *r)
{
	const uint64_t told = f->next.bytes;
	const char *p = r->bytes.p;
	size_t len = r->bytes.len, skip;

	if (f->at + r->left_out > told && r->left_out > 0)
		files_add_gap(f, r);
	else
		f->at += r->left_out;
	if (f->at < told) {
		skip = told - f->at < len ? (size_t)(told - f->at) : len;
		f->at += skip;
		p += skip;
		len -= skip;
	}
	files_add_bytes(f, r, p, len);
}

/* `goes_on`: more of it may come. */
static int
files_read_attempt(struct files *f, bool goes_on, struct err *err)
{
	struct capture_reader *reader =
	    capture_reader_new(f->directory, f->id, f->next.attempt);
	struct capture_record r;
	int got = 0;

	if (reader == NULL)
		return err_nomem(err);
	f->at = 0;
	while (f->told < ANSWER_BYTES &&
	       (got = capture_next(reader, &r, err)) > 0)
		files_add_record(f, &r);
	if (!goes_on && f->told < ANSWER_BYTES)
		files_tell_open(f);
	buf_reset(&f->open);
	capture_reader_free(reader);
	return got < 0 ? -1 : 0;
}

static int
files_read(struct files *f, const unsigned int *attempts, size_t n,
	   struct err *err)
{
	size_t i;

	for (i = 0; i < n && f->told < ANSWER_BYTES; i++) {
		if (attempts[i] < f->next.attempt)
			continue;
		if (attempts[i] > f->next.attempt)
			f->next = (struct place){.attempt = attempts[i]};
		if (files_read_attempt(f, i + 1 == n && !f->ended, err) != 0)
			return -1;
	}
	return f->open.failed ? err_nomem(err) : 0;
}

/* "ATTEMPT:BYTES"; empty: the beginning. -1: it is not one. */
static int
read_place(const char *text, struct place *ret)
{
	char *end;

	*ret = (struct place){.attempt = 0};
	if (text[0] == '\0')
		return 0;
	if (text[0] < '0' || text[0] > '9')
		return -1;
	ret->attempt = (unsigned int)strtoul(text, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return -1;
	ret->bytes = strtoull(end + 1, &end, 10);
	return *end == '\0' ? 0 : -1;
}

static json_t *
files_answer(struct files *f, struct err *err)
{
	json_t *answer = json_pack("{s:O,s:o,s:s}", "lines", f->lines, "next",
				   json_sprintf(LOGS_OF_FILES "%u:%" PRIu64,
						f->next.attempt, f->next.bytes),
				   "source", "files");

	if (answer == NULL)
		err_nomem(err);
	return answer;
}

json_t *
logs_of_files(const struct conf *conf, const char *id, const char *after,
	      bool ended, struct err *err)
{
	char *directory = capture_directory(conf);
	struct files f = {
	    .directory = directory, .id = id, .ended = ended, .open = BUF_INIT};
	unsigned int *attempts = NULL;
	json_t *answer = NULL;
	size_t n = 0;

	if (read_place(after, &f.next) != 0) {
		free(directory);
		err_set(err, ERR_USAGE,
			"after: not a cursor of this task's logs");
		return NULL;
	}
	if (directory != NULL)
		attempts = capture_attempts(directory, id, &n, err);
	if (attempts != NULL || (after[0] != '\0' && err->code == ERR_NONE)) {
		f.lines = json_array();
		if (files_read(&f, attempts, attempts != NULL ? n : 0, err) ==
		    0)
			answer = files_answer(&f, err);
		json_decref(f.lines);
	}
	buf_done(&f.open);
	free(attempts);
	free(directory);
	return answer;
}
