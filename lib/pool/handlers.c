/* SPDX-License-Identifier: MIT */
/*
 * The task types that this worker can run, out of the READY of an executor.
 *
 * READY is written by our own code in the executor, but from what its modules
 * say, in memory that they can overwrite: so types are looked at, and names
 * are checked, before a queue of that name is ever asked for.
 */
#include "pool/handlers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

static void
handlers_drop(struct handler *h)
{
	free((char *)h->name.p);
	free((char *)h->queue.p);
	free((char *)h->description.p);
}

void
handlers_done(struct handlers *h)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		handlers_drop(&h->list[i]);
	for (i = 0; i < h->n_refused; i++)
		free(h->refused[i]);
	free(h->list);
	free(h->refused);
	*h = (struct handlers){.n = 0};
}

/* A string member; what is missing or not a string is empty. p is NULL when
 * memory runs out. */
static struct slice
handlers_copy_string(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	char *copy = strdup(s ? s : "");

	return (struct slice){copy, copy ? strlen(copy) : 0};
}

/* Seconds as µs; what is null or missing is unset. */
static int64_t
handlers_duration(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_number(value))
		return TASK_UNSET;
	return llround(json_number_value(value) * 1e6);
}

/* A number as it is: TASK_UNSET if it is null or missing. */
static double
handlers_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : TASK_UNSET;
}

/* Fills in *ret also on an error, for handlers_done() to empty. The description
 * keeps all members, those that we do not know as well: they are for the
 * registry's readers. */
static int
handlers_read_handler(json_t *object, struct handler *ret, struct err *err)
{
	const json_t *retries = json_object_get(object, "max_retries");
	struct handler h = {
	    .name = handlers_copy_string(object, "name"),
	    .queue = handlers_copy_string(object, "queue"),
	    .cpu_bound = json_is_true(json_object_get(object, "cpu_bound")),
	    .async = json_is_true(json_object_get(object, "async")),
	    .max_retries = json_is_integer(retries)
			       ? json_integer_value(retries)
			       : TASK_UNSET,
	    .retry = {.delay_us = handlers_duration(object, "retry_delay"),
		      .backoff = handlers_number(object, "retry_backoff"),
		      .delay_max_us =
			  handlers_duration(object, "retry_delay_max"),
		      .jitter = handlers_number(object, "retry_jitter")},
	    .timeout_us = handlers_duration(object, "timeout")};

	if (!json_is_object(object)) {
		*ret = h;
		return err_set(
		    err, ERR_DATA,
		    "an executor registered a task that is not an object");
	}
	h.description.p = json_dumps(object, JSON_COMPACT);
	h.description.len = h.description.p ? strlen(h.description.p) : 0;
	*ret = h;
	if (h.name.p == NULL || h.queue.p == NULL || h.description.p == NULL)
		return err_nomem(err);
	if (!task_name_valid(h.name, TASK_NAME_MAX) ||
	    !task_name_valid(h.queue, TASK_QUEUE_MAX))
		return err_set(
		    err, ERR_DATA,
		    "an executor registered a task with an invalid name");
	return 0;
}

static int
handlers_compare_names(const void *a, const void *b)
{
	const struct handler *x = a, *y = b;

	return strcmp(x->name.p, y->name.p);
}

/* Without memory for a text, its name has to do. */
static void
handlers_refuse_twin(struct handlers *h, struct handler *twin)
{
	char *text;

	if (asprintf(&text,
		     "[task %s]: a task of this name exists already, in a "
		     "module (rename the section)",
		     twin->name.p) < 0) {
		text = (char *)twin->name.p;
		twin->name.p = NULL;
	}
	h->refused[h->n_refused++] = text;
}

/* Takes over one handler, or refuses it. */
static void
handlers_take(struct handlers *to, struct handler *h, size_t n_old)
{
	const struct handlers old = {.list = to->list, .n = n_old};

	if (handlers_find(&old, h->name.p) == NULL) {
		to->list[to->n++] = *h;
		return;
	}
	handlers_refuse_twin(to, h);
	handlers_drop(h);
}

int
handlers_reserve(struct handlers *h, size_t n, size_t n_refused,
		 struct err *err)
{
	/* Each handler may be refused, too. */
	const size_t room = h->room + n,
		     room_refused = room + n_refused + h->room_refused;
	struct handler *list = reallocarray(h->list, room + 1, sizeof(*list));
	char **refused;

	if (list == NULL)
		return err_nomem(err);
	h->list = list;
	refused = reallocarray(h->refused, room_refused + 1, sizeof(*refused));
	if (refused == NULL)
		return err_nomem(err);
	h->refused = refused;
	h->room = room;
	h->room_refused = room_refused;
	return 0;
}

int
handlers_refuse(struct handlers *h, const char *why, struct err *err)
{
	char *text = strdup(why);

	if (text == NULL)
		return err_nomem(err);
	if (handlers_reserve(h, 0, 1, err) != 0) {
		free(text);
		return -1;
	}
	h->refused[h->n_refused++] = text;
	return 0;
}

void
handlers_add(struct handlers *to, struct handlers *from, bool command)
{
	const size_t n_old = to->n;
	size_t i;

	for (i = 0; i < from->n; i++) {
		from->list[i].command = command;
		handlers_take(to, &from->list[i], n_old);
	}
	for (i = 0; i < from->n_refused; i++)
		to->refused[to->n_refused++] = from->refused[i];
	/* Without any, there may be no list. */
	if (to->n > 1)
		qsort(to->list, to->n, sizeof(*to->list),
		      handlers_compare_names);
	free(from->list);
	free(from->refused);
	*from = (struct handlers){.n = 0};
}

/* The reasons alone: each names its module already. */
static int
handlers_read_refused(const json_t *list, struct handlers *h, struct err *err)
{
	const json_t *item;
	size_t i;

	h->refused = calloc(json_array_size(list) + 1, sizeof(*h->refused));
	if (h->refused == NULL)
		return err_nomem(err);
	json_array_foreach (list, i, item) {
		const struct slice text = handlers_copy_string(item, "error");

		if (text.p == NULL)
			return err_nomem(err);
		h->refused[h->n_refused++] = (char *)text.p;
	}
	return 0;
}

int
handlers_read(struct slice json, struct handlers *ret, struct err *err)
{
	struct handlers h = {.n = 0};
	json_t *root, *item;
	const json_t *tasks;
	json_error_t error;
	size_t i;

	if ((root = json_loadb(json.p, json.len, 0, &error)) == NULL)
		return err_set(
		    err, ERR_DATA,
		    "an executor registered its tasks in invalid JSON: %s",
		    error.text);
	tasks = json_object_get(root, "tasks");
	h.list = calloc(json_array_size(tasks) + 1, sizeof(*h.list));
	if (h.list == NULL) {
		err_nomem(err);
		goto fail;
	}
	json_array_foreach (tasks, i, item)
		if (handlers_read_handler(item, &h.list[h.n++], err) != 0)
			goto fail;
	if (handlers_read_refused(json_object_get(root, "refused"), &h, err) !=
	    0)
		goto fail;
	/* For handlers_find(): it runs once for each task that is claimed. */
	qsort(h.list, h.n, sizeof(*h.list), handlers_compare_names);
	json_decref(root);
	*ret = h;
	return 0;
fail:
	json_decref(root);
	handlers_done(&h);
	return -1;
}

const struct handler *
handlers_find(const struct handlers *h, const char *name)
{
	const struct handler key = {.name = slice_of(name)};

	if (h->n == 0)
		return NULL;
	return bsearch(&key, h->list, h->n, sizeof(*h->list),
		       handlers_compare_names);
}
