/* SPDX-License-Identifier: MIT */
/*
 * Submitting from within a command that a task runs: through the worker of that
 * task, which has the store and the credential. lib/executor/task_socket.h
 * describes the protocol.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/trace_context.h"
#include "flowrra/client.h"
#include "lines.h"
#include "manager/request.h"
#include "submit.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

/* "NAME:TOKEN" of the executor's socket. */
#define VARIABLE "FLOWRRA_TASK_SOCKET"

/* A store that was named for this call, or for this command, is meant: then the
 * client of that store submits, with its own credential. */
static bool
names_a_store(const struct globals *g)
{
	size_t i;

	for (i = 0; i < g->settings.n; i++)
		if (strncmp(g->settings.items[i], "broker.", 7) == 0 ||
		    strncmp(g->settings.items[i], "backend.", 8) == 0)
			return true;
	for (i = 0; i < g->settings.n; i++)
		if (strcmp(g->settings.items[i], CONF_PERSONAL) == 0)
			return true;
	return g->config_file != NULL || getenv("FLOWRRA_BROKER_URL") != NULL;
}

bool
submit_has_task(const struct ctl *ctl)
{
	const char *address = getenv(VARIABLE);

	return address != NULL && *address != '\0' &&
	       !names_a_store(&ctl->globals);
}

/* The stream is for reading: one buffer for both ways would mix them up. */
static bool
task_send(FILE *stream, const char *p, size_t len)
{
	ssize_t n = 0;

	for (; len > 0 && n >= 0; p += n, len -= (size_t)n)
		if ((n = send(fileno(stream), p, len, MSG_NOSIGNAL)) < 0)
			return false;
	return true;
}

/* Of a command, this is the trace of its task's attempt, or of what wraps it. */
const char *
submit_trace(void)
{
	const char *parent = getenv("TRACEPARENT");
	struct trace_context context;

	return parent != NULL && trace_context_read(slice_of(parent), &context)
		   ? parent
		   : NULL;
}

void
submit_take_trace(struct flowrra_request *request)
{
	const char *parent = submit_trace(), *state = getenv("TRACESTATE");

	if (request->traceparent != NULL || request->tracestate != NULL ||
	    parent == NULL)
		return;
	request->traceparent = parent;
	if (state != NULL && tracestate_valid(slice_of(state)))
		request->tracestate = state;
}

/* Connects and shows the token. NULL with *err. */
static FILE *
task_connect(struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *given = getenv(VARIABLE), *colon;
	FILE *stream;
	size_t len;
	int fd;

	colon = given != NULL ? strchr(given, ':') : NULL;
	len = colon != NULL ? (size_t)(colon - given) : 0;
	if (len == 0 || len >= sizeof(address.sun_path)) {
		err_set(err, ERR_USAGE, VARIABLE " is not NAME:TOKEN");
		return NULL;
	}
	/* Behind a NUL: the abstract namespace. */
	memcpy(address.sun_path + 1, given, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				len)) != 0 ||
	    (stream = fdopen(fd, "r")) == NULL) {
		err_sys(err, ERR_UNAVAILABLE,
			"cannot reach the worker of the task that runs this "
			"command");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (task_send(stream, colon + 1, strlen(colon + 1)) &&
	    task_send(stream, "\n", 1))
		return stream;
	err_sys(err, ERR_UNAVAILABLE,
		"cannot write to the worker of the task that runs this "
		"command");
	fclose(stream);
	return NULL;
}

/* One request and its answer: the id, which is the caller's to free, or NULL
 * with *err and *ret_status. */
static char *
task_ask(FILE *stream, const struct flowrra_request *request, int *ret_status,
	 struct err *err)
{
	struct buf line = BUF_INIT;
	char *reply = NULL, *id = NULL;
	json_t *j = NULL;
	size_t cap = 0;

	request_write(request, &line);
	if (!line.failed && task_send(stream, line.data, line.len) &&
	    getline(&reply, &cap, stream) > 0)
		j = json_loads(reply, 0, NULL);
	buf_done(&line);
	free(reply);
	if (json_is_string(json_object_get(j, "id"))) {
		id = strdup(json_string_value(json_object_get(j, "id")));
	} else if (json_is_string(json_object_get(j, "error"))) {
		*ret_status =
		    (int)json_integer_value(json_object_get(j, "code"));
		err_set(err, ERR_DATA, "%s",
			json_string_value(json_object_get(j, "error")));
	} else {
		*ret_status = err_exit_status(ERR_UNAVAILABLE);
		err_set(err, ERR_UNAVAILABLE,
			"the worker of the task that runs this command did not "
			"answer; the new task may be queued all the same");
	}
	json_decref(j);
	return id;
}

/* A connection for one task: the executor's listener answers at once, and a
 * command that submits many uses --stdin. */
int
submit_by_task(struct ctl *ctl, const struct flowrra_request *request,
	       char id[FLOWRRA_ID_SIZE])
{
	struct err err = ERR_INIT;
	FILE *stream = task_connect(&err);
	int status = 0;
	char *given;

	if (stream == NULL)
		return complain_of_err(ctl, &err);
	if ((given = task_ask(stream, request, &status, &err)) != NULL)
		snprintf(id, FLOWRRA_ID_SIZE, "%s", given);
	else
		complain(ctl, "%s", err.msg);
	free(given);
	fclose(stream);
	return status;
}

struct task_lines {
	struct ctl *ctl;
	FILE *stream;
	const struct flowrra_request *base;
	struct submit_problems problems;
	size_t number; /* of the last line */
	int status;    /* the highest */
};

static bool
is_gone(FILE *stream)
{
	return ferror(stream) || feof(stream);
}

/* Asks for the task of one line, and prints the answer. Once the worker is gone, no line
 * gets through. */
static bool
on_line(void *arg, size_t number, struct slice text, bool too_long)
{
	struct task_lines *l = arg;
	struct buf scratch = BUF_INIT;
	struct flowrra_request request;
	struct err err = ERR_INIT;
	char *id = NULL;
	int status = 0;

	l->number = number;
	if (too_long)
		err_set(&err, ERR_DATA, "longer than %zu bytes",
			SUBMIT_LINE_MAX);
	if (too_long ||
	    request_read(text, l->base, &scratch, &request, NULL, &err) != 0)
		status = err_exit_status(err.code);
	else
		id = task_ask(l->stream, &request, &status, &err);
	if (id != NULL)
		submit_print_id(l->ctl, id);
	else
		submit_print_problem(l->ctl, &l->problems, number, status,
				     err.msg);
	free(id);
	buf_done(&scratch);
	fflush(stdout);
	if (status > l->status)
		l->status = status;
	return !is_gone(l->stream);
}

/* Each line is answered before the next is read. */
static bool
on_idle(void *arg)
{
	return true;
}

/* Line by line, each with its answer before the next is sent: the worker queues
 * them, so that there is nothing to win by sending ahead. */
int
submit_stream_by_task(struct ctl *ctl, const struct flowrra_request *base)
{
	struct err err = ERR_INIT;
	struct task_lines l = {
	    .ctl = ctl, .stream = task_connect(&err), .base = base};
	const struct lines lines = {.max = SUBMIT_LINE_MAX,
				    .on_line = on_line,
				    .on_idle = on_idle,
				    .arg = &l};
	int r;

	if (l.stream == NULL)
		return complain_of_err(ctl, &err);
	r = lines_read(&lines) != 0 ? errno : 0;
	submit_end_problems(ctl, &l.problems);
	if (r != 0) {
		complain(ctl, "cannot read standard input: %s", strerror(r));
		if (err_exit_status(ERR_SYSTEM) > l.status)
			l.status = err_exit_status(ERR_SYSTEM);
	}
	if (is_gone(l.stream))
		complain(ctl, "giving up: lines after %zu were not submitted",
			 l.number);
	fclose(l.stream);
	return l.status;
}
