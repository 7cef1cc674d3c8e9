/* SPDX-License-Identifier: MIT */
/* The gateway: operations on tasks and queues, each by its route in the API. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/record.h"
#include "flowrra/client.h"
#include "gateway.h"
#include "manager/page.h"
#include "manager/tasks.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/uuid.h"

#define JSON_TYPE "application/json"
/* The longest wait of one request: WEB_WAIT_S of the server. */
#define WAIT_S 60.0

/* All but what RFC 3986 calls unreserved. */
void
gateway_add_part(struct buf *path, const char *text)
{
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p != '\0'; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= 'a' && *p <= 'z') || strchr("-._~", *p) != NULL)
			buf_addc(path, (char)*p);
		else
			buf_addf(path, "%%%02X", *p);
}

int
gateway_path(struct buf *path, const char *root, const char *name,
	     const char *more, struct err *err)
{
	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return err_set(err, ERR_DATA,
			       "cannot ask flowrra-web for \"%s\"; a task's "
			       "whole ID is the one that submit has printed",
			       name);
	buf_addf(path, "/api/v1/%s/", root);
	gateway_add_part(path, name);
	buf_adds(path, more);
	return path->failed ? err_nomem(err) : 0;
}

static json_t *
get_of(struct gateway *g, const char *root, const char *name, const char *more,
       struct err *err)
{
	struct buf path = BUF_INIT;
	json_t *json = NULL;

	if (gateway_path(&path, root, name, more, err) == 0)
		json = gateway_get(g, path.data, err);
	buf_done(&path);
	return json;
}

/* --- submitting ----------------------------------------------------------- */

/* With a key, so that a repetition cannot make a second task. */
char *
gateway_submit(struct gateway *g, const struct flowrra_request *request,
	       struct err *err)
{
	char key[UUID_TEXT_SIZE], *id = NULL;
	struct buf body = BUF_INIT;
	struct gateway_request r = {.method = "POST",
				    .path = "/api/v1/tasks",
				    .type = JSON_TYPE,
				    .key = key};
	json_t *json = NULL;

	uuid_make_random(key);
	request_write(request, &body);
	r.body = (struct slice){body.data, body.len};
	if (body.failed) {
		err_nomem(err);
	} else if ((json = gateway_json(g, &r, err)) != NULL) {
		if (json_is_string(json_object_get(json, "task_id")))
			id = strdup(json_string_value(
			    json_object_get(json, "task_id")));
		if (id == NULL)
			err_set(err, ERR_INTERNAL,
				"flowrra-web has queued the task, but does not "
				"say its ID");
	}
	json_decref(json);
	buf_done(&body);
	return id;
}

int
gateway_words_of(struct gateway *g, const struct flowrra_request *request,
		 enum request_words *ret, struct err *err)
{
	struct err why = ERR_INIT;
	json_t *entry = get_of(g, "registry", request->name, "", &why);
	const char *arguments =
	    json_string_value(json_object_get(entry, "arguments"));
	/* For an unknown task, the error of the submission says more. */
	const bool known = entry != NULL || why.code == ERR_NOT_FOUND;

	*ret = arguments != NULL && strcmp(arguments, "text") == 0
		   ? REQUEST_TEXT
		   : REQUEST_JSON;
	json_decref(entry);
	if (!known)
		*err = why;
	return known ? 0 : -1;
}

/* --- records -------------------------------------------------------------- */

/* The bytes are kept as they are: numbers keep their digits. */
static int
record_at(struct gateway *g, const char *id, const char *more, double wait_s,
	  struct flowrra_record **ret, struct err *err)
{
	struct buf path = BUF_INIT, answer = BUF_INIT;
	struct gateway_request r = {.method = "GET", .wait_s = wait_s};
	int result = -1;

	if (gateway_path(&path, "tasks", id, more, err) == 0) {
		r.path = path.data;
		if (gateway_ask(g, &r, &answer, err) == 0 &&
		    (*ret = record_new((struct slice){answer.data, answer.len},
				       err)) != NULL)
			result = 0;
	}
	buf_done(&answer);
	buf_done(&path);
	return result;
}

int
gateway_record(struct gateway *g, const char *id, struct flowrra_record **ret,
	       struct err *err)
{
	return record_at(g, id, "/record", 0, ret, err);
}

/* The server bounds each wait, so it may take several. */
int
gateway_wait(struct gateway *g, const char *id, double wait_s,
	     struct flowrra_record **ret, struct err *err)
{
	const int64_t begun_us = clock_mono_us();
	struct flowrra_record *record;
	double left = WAIT_S;
	char more[64];

	for (;;) {
		if (wait_s >= 0)
			left =
			    wait_s - (double)(clock_mono_us() - begun_us) / 1e6;
		left = left < 0 ? 0 : left > WAIT_S ? WAIT_S : left;
		snprintf(more, sizeof(more), "/wait?timeout=%.3f", left);
		if (record_at(g, id, more, left, &record, err) != 0)
			return -1;
		if (record_final(record)) {
			*ret = record;
			return 0;
		}
		flowrra_record_free(record);
		if (wait_s >= 0 && left < WAIT_S &&
		    (double)(clock_mono_us() - begun_us) / 1e6 >= wait_s)
			return err_set(err, ERR_TIMEOUT,
				       "task %s has not finished in time", id);
	}
}

/* --- tasks and queues ------------------------------------------------------- */

json_t *
gateway_cancel(struct gateway *g, const char *id, struct err *err)
{
	struct gateway_request r = {
	    .method = "POST", .type = JSON_TYPE, .body = SLICE("{}")};
	struct buf path = BUF_INIT;
	json_t *json = NULL;

	if (gateway_path(&path, "tasks", id, "/cancel", err) == 0) {
		r.path = path.data;
		json = gateway_json(g, &r, err);
	}
	json_object_del(json, "task_id");
	buf_done(&path);
	return json;
}

json_t *
gateway_show(struct gateway *g, const char *id, struct err *err)
{
	return get_of(g, "tasks", id, "", err);
}

json_t *
gateway_logs(struct gateway *g, const char *id, const char *after,
	     struct err *err)
{
	struct buf more = BUF_INIT;
	json_t *answer = NULL;

	buf_adds(&more, "/logs");
	if (after != NULL) {
		buf_adds(&more, "?after=");
		gateway_add_part(&more, after);
	}
	if (more.failed)
		err_nomem(err);
	else
		answer = get_of(g, "tasks", id, more.data, err);
	buf_done(&more);
	return answer;
}

json_t *
gateway_queues(struct gateway *g, const char *queue, struct err *err)
{
	json_t *answer = queue != NULL ? get_of(g, "queues", queue, "", err)
				       : gateway_get(g, "/api/v1/queues", err);
	json_t *list = NULL;

	if (answer == NULL)
		return NULL;
	list = queue != NULL ? json_pack("[O]", answer)
			     : json_incref(json_object_get(answer, "items"));
	json_decref(answer);
	if (list == NULL)
		err_nomem(err);
	return list;
}

/* --- lists ------------------------------------------------------------------ */

static json_t *
list_step(struct gateway *g, const char *state, const struct tasks_query *q,
	  const char *cursor, struct err *err)
{
	struct buf path = BUF_INIT;
	json_t *page = NULL;

	buf_addf(&path, "/api/v1/tasks?state=%s&limit=%d", state,
		 PAGE_LIMIT_MAX);
	if (q->filter.queue != NULL) {
		buf_adds(&path, "&queue=");
		gateway_add_part(&path, q->filter.queue);
	}
	if (q->filter.task != NULL) {
		buf_adds(&path, "&task=");
		gateway_add_part(&path, q->filter.task);
	}
	if (cursor != NULL) {
		buf_adds(&path, "&cursor=");
		gateway_add_part(&path, cursor);
	}
	if (path.failed)
		err_nomem(err);
	else
		page = gateway_get(g, path.data, err);
	buf_done(&path);
	return page;
}

/* Tasks of others were looked at as well, and count towards the depth. */
json_t *
gateway_list(struct gateway *g, const char *state, struct tasks_query *query,
	     struct err *err)
{
	json_t *all = json_array(), *page = NULL, *items, *next = NULL;
	size_t looked_at = 0, i;

	do {
		page = list_step(g, state, query, json_string_value(next), err);
		json_decref(next);
		if (page == NULL) {
			json_decref(all);
			return NULL;
		}
		items = json_object_get(page, "items");
		for (i = 0; i < json_array_size(items) &&
			    json_array_size(all) < query->limit;
		     i++)
			json_array_append(all, json_array_get(items, i));
		looked_at += (size_t)json_integer_value(
		    json_object_get(page, "looked_at"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (json_is_string(next) && json_array_size(all) < query->limit &&
		 looked_at < query->depth);
	query->stopped =
	    json_is_string(next) && json_array_size(all) < query->limit;
	json_decref(next);
	return all;
}
