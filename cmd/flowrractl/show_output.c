/* SPDX-License-Identifier: MIT */
/*
 * Showing what commands have printed. On a terminal what is strange is masked: a
 * command's output must not steer it, nor set its title. Elsewhere its bytes come
 * as they were.
 */
#include "show_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/capture_read.h"
#include "codec/scan.h"
#include "pager.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/utf8.h"
#include "verb.h"

/* --- a record ---------------------------------------------------------------- */

static bool
shows(const struct show_output *s, enum capture_stream stream)
{
	return stream == CAPTURE_STDERR ? !s->only_stdout : !s->only_stderr;
}

/* Line breaks and tabs are what all terminals take. */
static void
put_masked(FILE *out, const char *p, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		if (p[i] == '\n' || p[i] == '\t') {
			n = 1;
			putc(p[i], out);
		} else if (utf8_strange(p + i, len - i, &n)) {
			putc('?', out);
		} else {
			fwrite(p + i, 1, n, out);
		}
	}
}

static void
put_bytes(FILE *out, const char *p, size_t len)
{
	if (pager_is_terminal(out))
		put_masked(out, p, len);
	else
		fwrite(p, 1, len, out);
}

/* Each line that begins in these bytes has the time before it. */
static void
put_lines(FILE *out, bool *in_line, const struct capture_record *r)
{
	const char *p = r->bytes.p, *end = p + r->bytes.len, *next;
	char time[CLOCK_TEXT_SIZE];

	clock_format(r->wall_us, time);
	for (; p < end; p = next) {
		next = memchr(p, '\n', (size_t)(end - p));
		next = next != NULL ? next + 1 : end;
		if (!*in_line)
			fprintf(out, "%s ", time);
		put_bytes(out, p, (size_t)(next - p));
		*in_line = next[-1] != '\n';
	}
}

/* JSON has no bytes: those that are not UTF-8 are replaced in it. */
static void
put_json(const struct capture_record *r, unsigned int attempt)
{
	struct buf text = BUF_INIT, json = BUF_INIT;
	char time[CLOCK_TEXT_SIZE];

	clock_format(r->wall_us, time);
	utf8_add(&text, r->bytes.p, r->bytes.len);
	scan_quote(&json, (struct slice){text.data, text.len});
	if (!text.failed && !json.failed)
		printf("{\"attempt\":%u,\"time\":\"%s\",\"stream\":\"%s\","
		       "\"left_out\":%llu,\"text\":%s}\n",
		       attempt, time,
		       r->stream == CAPTURE_STDERR ? "stderr" : "stdout",
		       (unsigned long long)r->left_out, json.data);
	buf_done(&text);
	buf_done(&json);
}

static void
put_record(struct show_output *s, const struct capture_record *r,
	   unsigned int attempt)
{
	const bool error = r->stream == CAPTURE_STDERR;
	FILE *out = s->apart && error ? stderr : stdout;

	if (s->ctl->globals.json) {
		put_json(r, attempt);
		return;
	}
	if (s->headed && attempt != s->shown)
		printf("==> attempt %u\n", attempt);
	s->shown = attempt;
	if (r->left_out > 0 && s->apart)
		complain(s->ctl, "%llu bytes of its output left out",
			 (unsigned long long)r->left_out);
	else if (r->left_out > 0)
		fprintf(out, "%s[%llu bytes left out]\n",
			s->in_line[s->apart && error] ? "\n" : "",
			(unsigned long long)r->left_out);
	if (s->time)
		put_lines(out, &s->in_line[s->apart && error], r);
	else
		put_bytes(out, r->bytes.p, r->bytes.len);
}

/* --- an attempt ---------------------------------------------------------------- */

/* Lines, the last of which may lack its end. */
static int
count_lines(const struct show_output *s, struct capture_reader *reader,
	    int64_t *ret_n, struct err *err)
{
	struct capture_record r;
	bool open = false;
	size_t i;
	int got;

	*ret_n = 0;
	while ((got = capture_next(reader, &r, err)) > 0) {
		if (!shows(s, r.stream))
			continue;
		for (i = 0; i < r.bytes.len; i++)
			*ret_n += r.bytes.p[i] == '\n';
		open = r.bytes.len > 0 && r.bytes.p[r.bytes.len - 1] != '\n';
	}
	*ret_n += open;
	return got;
}

/* Takes the first lines off; they are counted down. */
static void
skip_lines(struct capture_record *r, int64_t *skip)
{
	const char *end;

	while (*skip > 0 && r->bytes.len > 0) {
		end = memchr(r->bytes.p, '\n', r->bytes.len);
		if (end == NULL) {
			r->bytes.len = 0;
			return;
		}
		r->bytes.len -= (size_t)(end + 1 - r->bytes.p);
		r->bytes.p = end + 1;
		r->left_out = 0;
		(*skip)--;
	}
}

/* All streams count for `skip`, if they are shown. */
static int
show_records(struct show_output *s, struct capture_reader *reader,
	     unsigned int attempt, int64_t skip, struct err *err)
{
	struct capture_record r;
	int got;

	while ((got = capture_next(reader, &r, err)) > 0) {
		if (!shows(s, r.stream))
			continue;
		skip_lines(&r, &skip);
		if (r.bytes.len > 0)
			put_record(s, &r, attempt);
	}
	return got;
}

int
show_reader(struct show_output *s, struct capture_reader *reader,
	    unsigned int attempt, struct err *err)
{
	return show_records(s, reader, attempt, 0, err);
}

/* Twice from the beginning, the first time to count: an output may be larger than
 * memory. */
int
show_attempt(struct show_output *s, unsigned int attempt, int64_t n,
	     struct err *err)
{
	struct capture_reader *reader =
	    capture_reader_new(s->directory, s->id, attempt);
	int64_t lines = 0;
	int got = 0;

	if (reader == NULL)
		return err_nomem(err);
	if (n >= 0) {
		got = count_lines(s, reader, &lines, err);
		capture_reader_free(reader);
		reader = capture_reader_new(s->directory, s->id, attempt);
		if (reader == NULL)
			return err_nomem(err);
	}
	if (got == 0)
		got = show_records(s, reader, attempt, n >= 0 ? lines - n : 0,
				   err);
	capture_reader_free(reader);
	return got;
}

static int64_t
lines_in(struct slice text)
{
	int64_t n = text.len > 0 && text.p[text.len - 1] != '\n';
	size_t i;

	for (i = 0; i < text.len; i++)
		n += text.p[i] == '\n';
	return n;
}

void
show_text(struct show_output *s, const struct show_text *t, int64_t n)
{
	struct capture_record r = {
	    .stream = t->stream, .wall_us = t->wall_us, .bytes = t->text};
	int64_t skip = n >= 0 ? lines_in(t->text) - n : 0;

	if (!shows(s, t->stream))
		return;
	skip_lines(&r, &skip);
	if (r.bytes.len == 0)
		return;
	put_record(s, &r, t->attempt);
	if (!s->ctl->globals.json && r.bytes.p[r.bytes.len - 1] != '\n')
		putchar('\n');
}
