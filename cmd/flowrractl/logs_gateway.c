/* SPDX-License-Identifier: MIT */
/*
 * logs through the gateway: the server gives a task's output line by line, in several
 * answers, each of which has the cursor for the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "logs.h"
#include "manager/member.h"
#include "result.h"
#include "util/err.h"
#include "verb.h"

/* Between two requests of --follow: a person hardly notices a second. */
#define PAUSE_S 1

struct remote_logs {
	struct ctl *ctl;
	const char *id;
	const struct logs_options *options;
	json_t *kept;	    /* lines that are not printed yet */
	json_int_t attempt; /* of the last line */
	char *after;	    /* cursor; NULL: the beginning */
	bool of_store;	    /* the last answer was of what the stores keep */
	bool headed;	    /* each attempt has a line before it */
	json_int_t shown;   /* the attempt that was printed last */
};

/* 0: it is not known. */
static json_int_t
attempt_of(const json_t *line)
{
	return json_integer_value(json_object_get(line, "attempt"));
}

static bool
remote_shows(const struct remote_logs *r, const json_t *line)
{
	const struct logs_options *o = r->options;
	const char *stream = member_text(line, "stream");
	const bool error = stream != NULL && strcmp(stream, "stderr") == 0;

	if (o->attempt > 0 && r->attempt > 0 && r->attempt != o->attempt)
		return false;
	return !(o->only_stdout && error) && !(o->only_stderr && !error);
}

static void
remote_print(struct remote_logs *r, const json_t *line)
{
	const char *text = member_text(line, "text");

	if (r->ctl->globals.json) {
		print_json_line(
		    json_pack("{s:O?, s:O?, s:O?, s:O?}", "attempt",
			      json_object_get(line, "attempt"), "time",
			      json_object_get(line, "at"), "stream",
			      json_object_get(line, "stream"), "text",
			      json_object_get(line, "text")));
		return;
	}
	if (r->headed && attempt_of(line) != r->shown)
		printf("==> attempt %lld\n", (long long)attempt_of(line));
	r->shown = attempt_of(line);
	if (r->options->time)
		printf("%s ", member_text(line, "at") != NULL
				  ? member_text(line, "at")
				  : "-");
	/* A file or a pipe gets the text as it is. */
	if (isatty(STDOUT_FILENO))
		print_masked(text != NULL ? text : "", 0);
	else
		fputs(text != NULL ? text : "", stdout);
	putchar('\n');
}

/* Without --all and --attempt, only the last attempt is shown. */
static void
remote_take(struct remote_logs *r, const json_t *line, bool at_once)
{
	const json_int_t attempt = attempt_of(line);

	if (attempt > r->attempt && !r->options->all &&
	    r->options->attempt == 0 && !at_once)
		json_array_clear(r->kept);
	if (attempt > 0)
		r->attempt = attempt;
	if (!remote_shows(r, line))
		return;
	if (at_once)
		remote_print(r, line);
	else
		json_array_append(r->kept, (json_t *)line);
}

/* One request: the number of lines in its answer, or -1 with *err. */
static int
remote_step(struct remote_logs *r, bool at_once, struct err *err)
{
	json_t *answer = gateway_logs(r->ctl->gateway, r->id, r->after, err);
	const json_t *lines = json_object_get(answer, "lines"), *line;
	const char *next = member_text(answer, "next");
	const char *source = member_text(answer, "source");
	size_t i, n;

	if (answer == NULL)
		return -1;
	n = json_array_size(lines);
	json_array_foreach (lines, i, line)
		remote_take(r, line, at_once);
	free(r->after);
	/* The stores have nothing yet of a task that has not begun; files may
	 * follow, so the next request has no cursor. */
	r->of_store = source != NULL && strcmp(source, "output") == 0;
	r->after =
	    next != NULL && !(r->of_store && n == 0) ? strdup(next) : NULL;
	json_decref(answer);
	fflush(stdout);
	return (int)n;
}

/* The last lines of each attempt, as many as are asked for. */
static void
remote_print_kept(struct remote_logs *r)
{
	const size_t n = json_array_size(r->kept);
	const int limit = r->options->lines;
	size_t i = 0, end;

	if (n > 0)
		r->headed = r->options->all &&
			    attempt_of(json_array_get(r->kept, 0)) !=
				attempt_of(json_array_get(r->kept, n - 1));
	for (end = 0; end < n; i = end) {
		while (end < n && attempt_of(json_array_get(r->kept, end)) ==
				      attempt_of(json_array_get(r->kept, i)))
			end++;
		if (limit >= 0 && end - i > (size_t)limit)
			i = end - (size_t)limit;
		for (; i < end; i++)
			remote_print(r, json_array_get(r->kept, i));
	}
}

static int
remote_show(struct remote_logs *r, struct err *err)
{
	int got;

	while ((got = remote_step(r, false, err)) > 0 && r->after != NULL)
		;
	if (got < 0)
		return -1;
	remote_print_kept(r);
	return 0;
}

/* Until the task has ended and all of its output is printed; *ret_status is the exit
 * status of its command. */
static int
remote_follow(struct remote_logs *r, int *ret_status, struct err *err)
{
	const struct timespec pause = {.tv_sec = PAUSE_S};
	struct flowrra_record *record;
	bool final = false;
	int got;

	r->headed = r->options->all;
	for (;;) {
		if ((got = remote_step(r, true, err)) < 0)
			return -1;
		if (got > 0 && r->after != NULL)
			continue;
		if (final)
			return 0;
		if (gateway_record(r->ctl->gateway, r->id, &record, err) != 0)
			return -1;
		final = record->state == FLOWRRA_SUCCESS ||
			record->state == FLOWRRA_FAILED;
		*ret_status = command_status(record);
		flowrra_record_free(record);
		/* The stores have given all that they keep. */
		if (final && r->of_store)
			return 0;
		if (!final)
			nanosleep(&pause, NULL);
	}
}

int
logs_through_gateway(struct ctl *ctl, const char *id,
		     const struct logs_options *options)
{
	struct remote_logs r = {
	    .ctl = ctl, .id = id, .options = options, .kept = json_array()};
	struct err err = ERR_INIT;
	int status = 0, failed;

	failed = options->follow ? remote_follow(&r, &status, &err)
				 : remote_show(&r, &err);
	json_decref(r.kept);
	free(r.after);
	return failed != 0 ? complain_of_err(ctl, &err) : status;
}
