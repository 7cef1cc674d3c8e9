/* SPDX-License-Identifier: MIT */
/*
 * GET tasks/{id}/logs: what a task has printed and logged.
 *
 * Its worker's files have all of it, with times, if the worker runs on this host and
 * keeps them. Next comes the journal, and last what the stores keep: the end of each
 * attempt's output, and its error. A cursor names its source and goes on in that one:
 * two sources in one list would repeat lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/record.h"
#include "core/task.h"
#include "flowrra/client.h"
#include "manager/member.h"
#include "manager/tasks.h"
#include "util/err.h"
#include "util/journal_read.h"
#include "util/utf8.h"
#include "web/logs.h"
#include "web/web.h"

#define JOURNAL_LINES_MAX 500
/* An open page asks every other second: a long queue is not searched to its end
 * for that. */
#define LOGS_DEPTH 1000
/* What a cursor begins with. */
#define OF_JOURNAL "j:"
#define OF_OUTPUT "o:"

/* --- lines --------------------------------------------------------------- */

void
logs_add_line(json_t *lines, int64_t at_us, json_int_t attempt,
	      const char *stream, struct slice text)
{
	struct buf good = BUF_INIT;
	json_t *line;

	/* A command or a module may have written any bytes. */
	utf8_add(&good, text.p, text.len);
	line = json_stringn(good.data != NULL ? good.data : "", good.len);
	buf_done(&good);
	json_array_append_new(
	    lines, json_pack("{s:o,s:o,s:s,s:o}", "at", member_of_time(at_us),
			     "attempt",
			     attempt > 0 ? json_integer(attempt) : json_null(),
			     "stream", stream, "text", line));
}

/* Line by line, so that a page can number and mark them. Only of an error it is
 * known when it came: at the end of its attempt. */
static void
add_text(json_t *lines, const json_t *of, const char *stream,
	 json_int_t attempt)
{
	const bool error = strcmp(stream, "error") == 0;
	const char *p = member_text(of, stream);
	size_t len;

	for (; p != NULL && *p != '\0'; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		logs_add_line(lines,
			      error ? member_time_us(of, "finished_at") : 0,
			      attempt, stream, (struct slice){p, len});
	}
}

/* --- what the stores keep ------------------------------------------------- */

/* The attempts, and then the last one, if it is not among them. */
static json_t *
kept_lines(const json_t *task)
{
	const json_t *record = json_object_get(task, "record");
	const json_int_t last =
	    json_integer_value(json_object_get(record, "attempts"));
	json_t *lines = json_array(), *one;
	json_int_t attempt = 0;
	size_t i;

	json_array_foreach (json_object_get(task, "attempts"), i, one) {
		attempt = json_integer_value(json_object_get(one, "attempt"));
		add_text(lines, one, "output", attempt);
		add_text(lines, one, "error", attempt);
	}
	if (json_is_object(record) && (attempt == 0 || attempt != last)) {
		add_text(lines, record, "output", last);
		add_text(lines, record, "error", last);
	}
	return lines;
}

/* The cursor is how many lines were seen. */
static json_t *
logs_of_output(struct web_call *call, const char *id, size_t seen,
	       struct err *err)
{
	json_t *task = tasks_show(web_client(call), id, LOGS_DEPTH, err);
	json_t *lines, *answer;
	char next[32];
	size_t i, n;

	if (task == NULL)
		return NULL;
	lines = kept_lines(task);
	json_decref(task);
	n = json_array_size(lines);
	/* It runs once more, and says less: from the beginning. */
	if (seen > n)
		seen = 0;
	for (i = 0; i < seen; i++)
		json_array_remove(lines, 0);
	snprintf(next, sizeof(next), OF_OUTPUT "%zu", n);
	answer = json_pack("{s:o,s:s,s:s}", "lines", lines, "next", next,
			   "source", "output");
	if (answer == NULL)
		err_nomem(err);
	return answer;
}

/* --- the journal ---------------------------------------------------------- */

static void
on_journal_line(const struct journal_line *line, void *arg)
{
	logs_add_line(arg, line->at_us, line->attempt, "journal", line->text);
}

/* NULL without an error: there is nothing. */
static json_t *
logs_of_journal(const char *id, const char *after, bool always, struct err *err)
{
	json_t *lines = json_array(), *answer = NULL;
	struct buf next = BUF_INIT;
	int n;

	buf_adds(&next, after);
	n = journal_read(id, after, JOURNAL_LINES_MAX, on_journal_line, lines,
			 &next, err);
	if (n > 0 || (n == 0 && always)) {
		answer =
		    json_pack("{s:O,s:o,s:s}", "lines", lines, "next",
			      json_sprintf(OF_JOURNAL "%s",
					   next.data != NULL ? next.data : ""),
			      "source", "journal");
		if (answer == NULL)
			err_nomem(err);
	}
	json_decref(lines);
	buf_done(&next);
	return answer;
}

/* --- the route ------------------------------------------------------------ */

static int
bad_cursor(struct web_call *call, struct err *err)
{
	web_status(call, 400);
	err_set(err, ERR_USAGE, "after: not a cursor of this task's logs");
	return web_fault(call, "after", "take \"next\" of the answer before",
			 err);
}

/* The record first: what the task prints before its end is in the files then. A
 * record that cannot be had says of nothing that it goes on. */
static json_t *
logs_of_task_files(struct web_call *call, const char *id, const char *after,
		   struct err *err)
{
	struct flowrra_record *record = NULL;
	const bool ended =
	    record_fetch(web_client(call), id, &record, NULL) != 0 ||
	    record_final(record);

	flowrra_record_free(record);
	return logs_of_files(web_conf(call), id, after, ended, err);
}

/* NULL without an error: neither has anything. */
static json_t *
logs_of_machine(struct web_call *call, const char *id, struct err *err)
{
	json_t *answer = logs_of_task_files(call, id, "", err);

	if (answer == NULL && err->code == ERR_NONE)
		answer = logs_of_journal(id, "", false, err);
	return answer;
}

/* Without a cursor the files of this machine's workers are tried first, then the
 * journal. What that lacks may be a right to read it, so the stores are asked then,
 * and nothing is said of it. */
static int
get_logs(struct web_call *call, struct err *err)
{
	const char *after = web_text(call, "after");
	const char *id = web_own_id(call, web_text(call, "id"), err);
	unsigned long seen = 0;
	json_t *answer;
	char *end;

	if (id == NULL)
		return -1;
	if (!task_id_valid(slice_of(id))) {
		err_set(err, ERR_NOT_FOUND, "\"%.64s\" is not a valid task ID",
			id);
		return web_fault(call, "id", NULL, err);
	}
	if (after != NULL && strncmp(after, OF_JOURNAL, 2) == 0) {
		answer = logs_of_journal(id, after + 2, true, err);
		return answer != NULL ? web_answer(call, answer, err)
				      : bad_cursor(call, err);
	}
	if (after != NULL && strncmp(after, LOGS_OF_FILES, 2) == 0) {
		answer = logs_of_task_files(call, id, after + 2, err);
		return answer != NULL		? web_answer(call, answer, err)
		       : err->code == ERR_USAGE ? bad_cursor(call, err)
						: -1;
	}
	if (after != NULL) {
		if (strncmp(after, OF_OUTPUT, 2) != 0)
			return bad_cursor(call, err);
		seen = strtoul(after + 2, &end, 10);
		if (*end != '\0' || after[2] < '0' || after[2] > '9')
			return bad_cursor(call, err);
	} else if ((answer = logs_of_machine(call, id, err)) != NULL) {
		return web_answer(call, answer, err);
	}
	answer = logs_of_output(call, id, seen, err);
	return answer != NULL ? web_answer(call, answer, err) : -1;
}

static const struct web_param logs_params[] = {
    {.name = "id",
     .type = WEB_TEXT,
     .in = WEB_PATH,
     .required = true,
     .help = "The task."},
    {.name = "after",
     .type = WEB_TEXT,
     .in = WEB_QUERY,
     .help = "Only what follows: \"next\" of the answer before."},
    {.name = NULL}};

const struct web_route web_logs_routes[] = {
    {.method = HTTP_GET,
     .path = "/api/v1/tasks/{id}/logs",
     .role = WEB_VIEWER,
     .flags = WEB_OWN,
     .params = logs_params,
     .run = get_logs,
     .summary = "What a task has printed and logged.",
     .answer = "{\"lines\": [{\"at\", \"attempt\", \"stream\", \"text\"}], "
	       "\"next\", \"source\": \"files\" or \"journal\" (of this host) "
	       "or \"output\" (the end of it, as the stores keep it)}"},
    WEB_ROUTES_END};
