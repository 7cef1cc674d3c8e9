/* SPDX-License-Identifier: MIT */
/*
 * Submitting through the gateway: one task, or many, one a line.
 *
 * Lines are read as submit_stream.c reads them, so that a mistake is told with the
 * same words, and sent in batches; the server answers each line.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "manager/request.h"
#include "result.h"
#include "submit.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* One message of the server to its store; and what its user may send at once. */
#define BATCH_LINES 256
#define BATCH_BYTES (4 << 20)
#define READ_BYTES (256 * 1024)
/* Above what any server takes for a task ([worker] max_task_size). */
#define LINE_MAX_BYTES ((size_t)48 << 20)

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
	struct err err; /* ERR_NONE: it is in the body */
};

struct sending {
	struct ctl *ctl;
	const struct flowrra_request *base;
	struct sent_line lines[BATCH_LINES];
	size_t n;
	size_t number; /* of the last line */
	struct buf body, scratch;
	struct submit_problems problems;
	/* With --wait: what each line has become, in their order. */
	struct outcome {
		char *id; /* NULL: it was refused */
		size_t number;
		int status;
		char *why;
	} * outcomes;
	size_t n_outcomes;
	bool wait;
	int status; /* the highest */
	bool hopeless;
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

/* `id` or `why` is given; it is copied. */
static void
keep_outcome(struct sending *s, const char *id, size_t number, int status,
	     const char *why)
{
	struct outcome *more =
	    reallocarray(s->outcomes, s->n_outcomes + 1, sizeof(*more));

	if (more == NULL) {
		s->hopeless = true;
		sending_note(s, complain_no_memory(s->ctl));
		return;
	}
	s->outcomes = more;
	more[s->n_outcomes++] =
	    (struct outcome){.id = id != NULL ? strdup(id) : NULL,
			     .number = number,
			     .status = status,
			     .why = why != NULL ? strdup(why) : NULL};
}

static void
print_refused(struct sending *s, size_t number, int status, const char *why)
{
	sending_note(s, status);
	if (s->wait)
		keep_outcome(s, NULL, number, status, why);
	else
		submit_print_problem(s->ctl, &s->problems, number, status, why);
}

static void
print_queued(struct sending *s, const char *id)
{
	if (s->wait)
		keep_outcome(s, id, 0, 0, NULL);
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

	if (id != NULL)
		print_queued(s, id);
	else
		print_refused(
		    s, number,
		    json_integer_value(json_object_get(error, "status")) == 403
			? err_exit_status(ERR_REFUSED)
			: err_exit_status(ERR_DATA),
		    detail != NULL ? detail
				   : "the server did not answer this line");
	json_decref(answer);
}

/* In the order of the lines. */
static void
print_answers(struct sending *s, const struct buf *answers)
{
	const char *p = answers->data != NULL ? answers->data : "", *end;
	size_t i, len;

	for (i = 0; i < s->n; i++) {
		if (s->lines[i].err.code != ERR_NONE) {
			print_refused(s, s->lines[i].number,
				      err_exit_status(s->lines[i].err.code),
				      s->lines[i].err.msg);
			continue;
		}
		end = strchr(p, '\n');
		len = end != NULL ? (size_t)(end - p) : strlen(p);
		print_answer(s, s->lines[i].number, p, len);
		p += len + (end != NULL);
	}
	s->n = 0;
	buf_reset(&s->body);
	fflush(stdout);
}

/* A server that is away ends it, as the rest would fare no better. */
static void
send_lines(struct sending *s)
{
	struct gateway_request r = {.method = "POST",
				    .path = "/api/v1/tasks/batch",
				    .type = "application/x-ndjson"};
	struct buf answers = BUF_INIT;
	struct err err = ERR_INIT;
	size_t i;

	r.body = (struct slice){s->body.data, s->body.len};
	if (s->body.failed)
		err_nomem(&err);
	else if (s->body.len > 0)
		gateway_ask(s->ctl->gateway, &r, &answers, &err);
	buf_addc(&answers, '\0');
	for (i = 0; err.code != ERR_NONE && i < s->n; i++)
		if (s->lines[i].err.code == ERR_NONE)
			s->lines[i].err = err;
	s->hopeless |= err.code != ERR_NONE;
	print_answers(s, &answers);
	buf_done(&answers);
}

static void
add_line(struct sending *s, const char *text, size_t len)
{
	struct sent_line *line = &s->lines[s->n];
	struct flowrra_request request;

	s->number++;
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	if (len == 0)
		return;
	*line = (struct sent_line){.number = s->number, .err = ERR_INIT};
	if (request_read((struct slice){text, len}, s->base, &s->scratch,
			 &request, NULL, &line->err) == 0) {
		request_write(&request, &s->body);
		if (s->body.len > 0 && s->body.data[s->body.len - 1] != '\n')
			buf_addc(&s->body, '\n');
	}
	s->n++;
}

/* A writer that takes its time gets its answers meanwhile. */
static bool
input_would_block(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&fd, 1, 0) == 0;
}

/* Takes the whole lines out of the input. */
static void
take_lines(struct sending *s, struct buf *input)
{
	const char *begin = input->data, *end;
	size_t left = input->len, len;

	while (!s->hopeless && (end = memchr(begin, '\n', left)) != NULL) {
		len = (size_t)(end - begin);
		add_line(s, begin, len);
		if (s->n == BATCH_LINES || s->body.len >= BATCH_BYTES)
			send_lines(s);
		begin += len + 1;
		left -= len + 1;
	}
	buf_drain(input, input->len - left);
}

/* Returns the bytes, 0 at the end, -1 with errno. */
static ssize_t
read_more(struct sending *s, struct buf *input)
{
	ssize_t n;

	if (s->n > 0 && input_would_block())
		send_lines(s);
	if (input->len > LINE_MAX_BYTES) {
		errno = EMSGSIZE;
		return -1;
	}
	if (buf_reserve(input, READ_BYTES) != 0) {
		errno = ENOMEM;
		return -1;
	}
	do
		n = read(STDIN_FILENO, input->data + input->len, READ_BYTES);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		input->len += (size_t)n;
	return n;
}

static void
read_lines(struct sending *s)
{
	struct buf input = BUF_INIT;
	ssize_t n = 1;

	while (!s->hopeless && (n = read_more(s, &input)) > 0)
		take_lines(s, &input);
	if (n < 0) {
		complain(s->ctl, "cannot read standard input: %s",
			 strerror(errno));
		sending_note(s, err_exit_status(ERR_SYSTEM));
	}
	/* The last line may lack its end. */
	if (n == 0 && input.len > 0)
		add_line(s, input.data, input.len);
	if (s->n > 0 && !s->hopeless)
		send_lines(s);
	submit_end_problems(s->ctl, &s->problems);
	if (s->hopeless)
		complain(s->ctl,
			 "giving up: lines after %zu were not submitted",
			 s->number);
	buf_done(&input);
}

static void
wait_for_one(struct sending *s, const struct outcome *o, double timeout_s)
{
	struct flowrra_record *record;
	struct err err = ERR_INIT;

	if (o->id == NULL) {
		submit_print_problem(s->ctl, &s->problems, o->number, o->status,
				     o->why != NULL ? o->why : "no memory");
	} else if (gateway_wait(s->ctl->gateway, o->id, timeout_s, &record,
				&err) != 0) {
		sending_note(s, complain_of_err(s->ctl, &err));
		putchar('\n');
	} else {
		sending_note(s, print_record(s->ctl, record, o->id));
		/* A task that failed has its line, too. */
		if (record->state != FLOWRRA_SUCCESS && !s->ctl->globals.json)
			printf("%s\t\n", o->id);
		flowrra_record_free(record);
	}
}

/* In the order of their lines; the time is one for all. */
static void
wait_for_all(struct sending *s, double timeout_s)
{
	const int64_t begun_us = clock_mono_us();
	double left = -1;
	size_t i;

	for (i = 0; i < s->n_outcomes; i++) {
		if (timeout_s >= 0)
			left = timeout_s -
			       (double)(clock_mono_us() - begun_us) / 1e6;
		wait_for_one(s, &s->outcomes[i],
			     timeout_s >= 0 && left < 0 ? 0 : left);
	}
	submit_end_problems(s->ctl, &s->problems);
}

int
submit_stream_by_gateway(struct ctl *ctl, const struct flowrra_request *base,
			 double timeout_s, bool wait)
{
	struct sending *s = calloc(1, sizeof(*s));
	int status;
	size_t i;

	if (s == NULL)
		return complain_no_memory(ctl);
	s->ctl = ctl;
	s->base = base;
	s->wait = wait;
	read_lines(s);
	wait_for_all(s, timeout_s);
	status = s->status;
	for (i = 0; i < s->n_outcomes; i++) {
		free(s->outcomes[i].id);
		free(s->outcomes[i].why);
	}
	free(s->outcomes);
	buf_done(&s->body);
	buf_done(&s->scratch);
	free(s);
	return status;
}
