/* SPDX-License-Identifier: MIT */
/* The task that runs this command, by the socket of its executor. */
#include "own_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/record.h"
#include "flowrra/client.h"
#include "manager/request.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

/* "NAME:TOKEN" of the executor's socket. */
#define VARIABLE "FLOWRRA_TASK_SOCKET"

struct own_task {
	/* For reading: one buffer for both ways would mix them up. */
	FILE *stream;
};

/* A store that was named for this call, or for this command, is meant: then the
 * client of that store is used, with its own credential. */
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
own_task_is_there(const struct ctl *ctl)
{
	const char *address = getenv(VARIABLE);

	return address != NULL && *address != '\0' &&
	       !names_a_store(&ctl->globals);
}

/* --- the connection ------------------------------------------------------ */

static bool
own_task_send(const struct own_task *t, const char *p, size_t len)
{
	ssize_t n = 0;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = send(fileno(t->stream), p, len, MSG_NOSIGNAL)) < 0)
			return false;
	return true;
}

static int
own_task_connect(const char *given, size_t len, FILE **ret, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const socklen_t size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* Behind a NUL: the abstract namespace. */
	memcpy(address.sun_path + 1, given, len);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&address, size) == 0 &&
	    (*ret = fdopen(fd, "r")) != NULL)
		return 0;
	err_sys(err, ERR_UNAVAILABLE,
		"cannot reach the worker of the task that runs this command");
	if (fd >= 0)
		close(fd);
	return -1;
}

struct own_task *
own_task_open(struct err *err)
{
	const char *given = getenv(VARIABLE);
	const char *colon = given != NULL ? strchr(given, ':') : NULL;
	const size_t len = colon != NULL ? (size_t)(colon - given) : 0;
	struct own_task *t;

	if (len == 0 || len >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
		err_set(err, ERR_USAGE, VARIABLE " is not NAME:TOKEN");
		return NULL;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	if (own_task_connect(given, len, &t->stream, err) != 0) {
		free(t);
		return NULL;
	}
	if (own_task_send(t, colon + 1, strlen(colon + 1)) &&
	    own_task_send(t, "\n", 1))
		return t;
	err_sys(err, ERR_UNAVAILABLE,
		"cannot write to the worker of the task that runs this "
		"command");
	own_task_close(t);
	return NULL;
}

void
own_task_close(struct own_task *t)
{
	if (t == NULL)
		return;
	fclose(t->stream);
	free(t);
}

bool
own_task_is_lost(const struct own_task *t)
{
	return ferror(t->stream) || feof(t->stream);
}

/* --- questions ----------------------------------------------------------- */

/* One line of JSON, and the one that answers it; with *err also if that says that it
 * failed. NULL with *err, to which `lost` is added, if there is no answer. */
static json_t *
own_task_ask(struct own_task *t, struct slice line, const char *lost,
	     struct err *err)
{
	char *reply = NULL;
	json_t *j = NULL;
	size_t cap = 0;

	if (own_task_send(t, line.p, line.len) &&
	    getline(&reply, &cap, t->stream) > 0)
		j = json_loads(reply, 0, NULL);
	free(reply);
	if (!json_is_object(j)) {
		err_set(err, ERR_UNAVAILABLE,
			"the worker of the task that runs this command did not "
			"answer%s",
			lost);
		json_decref(j);
		return NULL;
	}
	if (json_is_string(json_object_get(j, "error")))
		err_set(err,
			err_of_exit_status((int)json_integer_value(
			    json_object_get(j, "code"))),
			"%s", json_string_value(json_object_get(j, "error")));
	return j;
}

/* Takes the request. */
static json_t *
own_task_ask_json(struct own_task *t, json_t *request, struct err *err)
{
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	struct buf line = BUF_INIT;
	json_t *answer = NULL;

	json_decref(request);
	buf_adds(&line, text != NULL ? text : "");
	buf_addc(&line, '\n');
	if (text == NULL || line.failed)
		err_nomem(err);
	else
		answer = own_task_ask(t, (struct slice){line.data, line.len},
				      "", err);
	buf_done(&line);
	free(text);
	return answer;
}

char *
own_task_submit(struct own_task *t, const struct flowrra_request *request,
		struct err *err)
{
	struct buf line = BUF_INIT;
	json_t *answer = NULL;
	const char *given;
	char *id = NULL;

	request_write(request, &line);
	if (line.failed)
		err_nomem(err);
	else
		answer = own_task_ask(
		    t, (struct slice){line.data, line.len},
		    "; the new task may be queued all the same", err);
	buf_done(&line);
	given = json_string_value(json_object_get(answer, "id"));
	if (err->code == ERR_NONE && given == NULL)
		err_set(err, ERR_INTERNAL,
			"the worker does not say the ID of the new task");
	else if (err->code == ERR_NONE && (id = strdup(given)) == NULL)
		err_nomem(err);
	json_decref(answer);
	return id;
}

/* The record of an answer: 0, or -1 with *err. */
static int
take_record(const json_t *answer, struct flowrra_record **ret, struct err *err)
{
	const json_t *record = json_object_get(answer, "record");
	const char *id = json_string_value(json_object_get(answer, "id"));

	if (err->code != ERR_NONE && id != NULL)
		return err_prefix(err, "task %s", id);
	if (err->code != ERR_NONE)
		return -1;
	*ret = record_new((struct slice){json_string_value(record),
					 json_string_length(record)},
			  err);
	return *ret != NULL ? 0 : -1;
}

int
own_task_record(struct own_task *t, const char *id, struct flowrra_record **ret,
		struct err *err)
{
	json_t *answer = own_task_ask_json(
	    t, json_pack("{s:s,s:s}", "op", "result", "id", id), err);
	const int r = take_record(answer, ret, err);

	json_decref(answer);
	return r;
}

static json_t *
wait_request(const char *const *ids, size_t n, double timeout_s)
{
	json_t *list = json_array(), *request;
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, json_string(ids[i]));
	request = json_pack("{s:s,s:o}", "op", "wait", "ids", list);
	if (timeout_s >= 0)
		json_object_set_new(request, "timeout", json_real(timeout_s));
	return request;
}

int
own_task_wait(struct own_task *t, const char *const *ids, size_t n,
	      double timeout_s, size_t *ret_which, struct flowrra_record **ret,
	      struct err *err)
{
	json_t *answer =
	    own_task_ask_json(t, wait_request(ids, n, timeout_s), err);
	const char *id = json_string_value(json_object_get(answer, "id"));
	const int r = take_record(answer, ret, err);

	for (*ret_which = 0; id != NULL && *ret_which + 1 < n &&
			     strcmp(ids[*ret_which], id) != 0;
	     ++*ret_which)
		;
	json_decref(answer);
	return r;
}

struct own_task *
own_task_wait_aside(const char *id)
{
	const char *address = getenv(VARIABLE);
	struct own_task *t = NULL;
	json_t *request;
	char *text;

	if (address == NULL || *address == '\0' ||
	    (t = own_task_open(NULL)) == NULL)
		return NULL;
	request = wait_request(&id, 1, -1);
	text = json_dumps(request, JSON_COMPACT);
	if (text != NULL && own_task_send(t, text, strlen(text)))
		own_task_send(t, "\n", 1);
	free(text);
	json_decref(request);
	return t;
}

int
own_task_progress(struct own_task *t, json_t *value, struct err *err)
{
	json_decref(own_task_ask_json(
	    t, json_pack("{s:s,s:o}", "op", "progress", "value", value), err));
	return err->code == ERR_NONE ? 0 : -1;
}

json_t *
own_task_workflow(struct own_task *t, json_t *request, struct err *err)
{
	json_t *answer;

	if (request != NULL)
		json_object_set_new(request, "op", json_string("workflow"));
	answer = own_task_ask_json(t, request, err);
	if (err->code == ERR_NONE)
		return answer;
	json_decref(answer);
	return NULL;
}
