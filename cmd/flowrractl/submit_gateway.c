/* SPDX-License-Identifier: MIT */
/*
 * Submitting through the gateway: one task, or many, one a line.
 *
 * Lines are checked here as submit_stream.c checks them, so that a mistake is reported
 * in the same words, and sent in batches; the server answers each line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "lines.h"
#include "manager/request.h"
#include "submit.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"
#include "wait_each.h"

/* One message of the server to its store; and what keeps a batch of large tasks far
 * below the server's limit. */
#define BATCH_LINES 256
#define BATCH_BYTES (4 << 20)

int
submit_by_gateway(struct ctl *ctl, const struct flowrra_request *request,
		  char id[FLOWRRA_ID_SIZE])
{
	struct err err = ERR_INIT;
	char *given = gateway_submit(ctl->gateway, request, &err);

	if (given == NULL)
		return complain_of_err(ctl, &err);
	snprintf(id, FLOWRRA_ID_SIZE, "%s", given);
	free(given);
	return 0;
}

/* A line of the batch: of a task, or with a problem. */
struct sent_line {
	size_t number;
	size_t end; /* in the body, of what it and those before it have there */
	struct err err; /* ERR_NONE: it is in the body */
};

struct sending {
	struct ctl *ctl;
	const struct flowrra_request *base;
	struct sent_line lines[BATCH_LINES];
	size_t n,
	    most;      /* lines of a batch: now, and as the server takes them */
	size_t number; /* of the last line */
	struct buf body, scratch;
	struct submit_problems problems;
	struct outcomes outcomes; /* with --wait */
	bool wait;
	int status; /* the highest */
	bool hopeless;
	struct err why; /* with hopeless */
};

static void
sending_note(struct sending *s, int status)
{
	if (status > s->status)
		s->status = status;
}

static int
complain_no_memory(struct ctl *ctl)
{
	complain(ctl, "out of memory");
	return err_exit_status(ERR_SYSTEM);
}

/* `id` or `why` is given. */
static void
keep_outcome(struct sending *s, const char *id, size_t number,
	     const struct err *why)
{
	if (outcomes_add(&s->outcomes, number, id, why, &s->why) == 0)
		return;
	s->hopeless = true;
	sending_note(s, complain_no_memory(s->ctl));
}

static void
print_refused(struct sending *s, size_t number, const struct err *why)
{
	const int status = err_exit_status(why->code);

	sending_note(s, status);
	if (s->wait)
		keep_outcome(s, NULL, number, why);
	else
		submit_print_problem(s->ctl, &s->problems, number, status,
				     why->msg);
}

static void
print_queued(struct sending *s, size_t number, const char *id)
{
	if (s->wait)
		keep_outcome(s, id, number, NULL);
	else
		submit_print_id(s->ctl, id);
}

/* One of the server's lines: {"line", "task_id"} or {"line", "error"}. */
static void
print_answer(struct sending *s, size_t number, const char *text, size_t len)
{
	json_t *answer = json_loadb(text, len, 0, NULL);
	const json_t *error = json_object_get(answer, "error");
	const char *id = json_string_value(json_object_get(answer, "task_id"));
	const char *detail =
	    json_string_value(json_object_get(error, "detail"));
	const json_int_t status =
	    json_integer_value(json_object_get(error, "status"));
	struct err why;

	if (id != NULL) {
		print_queued(s, number, id);
	} else {
		err_set(&why,
			status == 403	? ERR_REFUSED
			: status == 429 ? ERR_FULL
					: ERR_DATA,
			"%s",
			detail != NULL ? detail
				       : "the server did not answer this line");
		print_refused(s, number, &why);
	}
	json_decref(answer);
}

/* Of lines of the batch, in their order. */
static void
print_answers(struct sending *s, size_t first, size_t last,
	      const struct buf *answers)
{
	const char *p = answers->data != NULL ? answers->data : "", *end;
	size_t i, len;

	for (i = first; i < last; i++) {
		if (s->lines[i].err.code != ERR_NONE) {
			print_refused(s, s->lines[i].number, &s->lines[i].err);
			continue;
		}
		end = strchr(p, '\n');
		len = end != NULL ? (size_t)(end - p) : strlen(p);
		print_answer(s, s->lines[i].number, p, len);
		p += len + (end != NULL);
	}
	fflush(stdout);
}

/* Lines of the batch in one request. -1 with *err: none of them was looked at. */
static int
ask_range(struct sending *s, size_t first, size_t last, struct buf *answers,
	  struct err *err)
{
	const size_t begin = first > 0 ? s->lines[first - 1].end : 0;
	const size_t end = s->lines[last - 1].end;
	struct gateway_request r = {.method = "POST",
				    .path = "/api/v1/tasks/batch",
				    .type = "application/x-ndjson"};

	if (s->hopeless) {
		*err = s->why;
		return -1;
	}
	if (s->body.failed)
		return err_nomem(err);
	if (end == begin)
		return 0;
	r.body = (struct slice){s->body.data + begin, end - begin};
	return gateway_ask(s->ctl->gateway, &r, answers, err);
}

/* When the server is out of reach, the rest is given up. A batch that it refuses as too
 * large, in bytes or in tasks, is sent again in halves: the limits are the server's, and
 * one line that is too long must not fail the others. */
static void
send_range(struct sending *s, size_t first, size_t last)
{
	const size_t middle = first + (last - first) / 2;
	struct buf answers = BUF_INIT;
	struct err err = ERR_INIT;
	size_t i;

	if (ask_range(s, first, last, &answers, &err) != 0 &&
	    err.code == ERR_DATA && last - first > 1) {
		buf_done(&answers);
		s->most = last - middle;
		send_range(s, first, middle);
		send_range(s, middle, last);
		return;
	}
	buf_addc(&answers, '\0');
	for (i = first; err.code != ERR_NONE && i < last; i++)
		if (s->lines[i].err.code == ERR_NONE)
			s->lines[i].err = err;
	if (err.code != ERR_NONE && err.code != ERR_DATA) {
		s->hopeless = true;
		s->why = err;
	}
	print_answers(s, first, last, &answers);
	buf_done(&answers);
}

static void
send_lines(struct sending *s)
{
	if (s->n > 0)
		send_range(s, 0, s->n);
	s->n = 0;
	buf_reset(&s->body);
}

/* A line becomes one of the body, or a problem in its place. */
static bool
on_line(void *arg, size_t number, struct slice text, bool too_long)
{
	struct sending *s = arg;
	struct sent_line *line = &s->lines[s->n];
	struct flowrra_request request;

	s->number = number;
	*line = (struct sent_line){.number = number, .err = ERR_INIT};
	if (too_long) {
		err_set(&line->err, ERR_DATA, "longer than %zu bytes",
			SUBMIT_LINE_MAX);
	} else if (request_read(text, s->base, &s->scratch, &request, NULL,
				&line->err) == 0) {
		request_write(&request, &s->body);
	}
	line->end = s->body.len;
	if (++s->n >= s->most || s->body.len >= BATCH_BYTES)
		send_lines(s);
	return !s->hopeless;
}

/* A slow writer gets the answers to what it has written. */
static bool
on_idle(void *arg)
{
	struct sending *s = arg;

	send_lines(s);
	return !s->hopeless;
}

static void
read_lines(struct sending *s)
{
	const struct lines lines = {.max = SUBMIT_LINE_MAX,
				    .on_line = on_line,
				    .on_idle = on_idle,
				    .arg = s};

	if (lines_read(&lines) != 0) {
		complain(s->ctl, "cannot read standard input: %s",
			 strerror(errno));
		sending_note(s, err_exit_status(ERR_SYSTEM));
	}
	send_lines(s);
	submit_end_problems(s->ctl, &s->problems);
	if (s->hopeless)
		complain(s->ctl,
			 "giving up: lines after %zu were not submitted",
			 s->number);
}

/* In the order of their lines; the timeout is for all together. */
static void
wait_for_all(struct sending *s, double timeout_s)
{
	struct wait_each w;

	wait_each_begin(&w, s->ctl, timeout_s);
	wait_each_outcome(&w, &s->outcomes);
	sending_note(s, wait_each_end(&w));
}

int
submit_stream_by_gateway(struct ctl *ctl, const struct flowrra_request *base,
			 double timeout_s, bool wait)
{
	struct sending *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL)
		return complain_no_memory(ctl);
	s->ctl = ctl;
	s->base = base;
	s->wait = wait;
	s->most = BATCH_LINES;
	read_lines(s);
	wait_for_all(s, timeout_s);
	status = s->status;
	outcomes_done(&s->outcomes);
	buf_done(&s->body);
	buf_done(&s->scratch);
	free(s);
	return status;
}
