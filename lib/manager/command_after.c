/* SPDX-License-Identifier: MIT */
/* What a task waits for, read and written as text. */
#include "manager/command_after.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "core/task.h"
#include "store/steps.h"
#include "util/conf.h"
#include "util/err.h"

/* Each is looked at when the task is submitted. */
#define AFTER_MAX 1000
#define N_WORDS (sizeof(broker_after_words) / sizeof(broker_after_words[0]))

/* The arrays have room for one more. */
static int
after_grow(struct command_after *a, struct err *err)
{
	struct broker_after *list =
	    reallocarray(a->list, a->n + 1, sizeof(*list));
	char **texts;

	if (list == NULL)
		return err_nomem(err);
	a->list = list;
	texts = reallocarray(a->texts, a->n + 1, sizeof(*texts));
	if (texts == NULL)
		return err_nomem(err);
	a->texts = texts;
	return 0;
}

int
command_after_add(struct command_after *a, const char *text, struct err *err)
{
	struct broker_after one;
	char *copy;
	size_t i;

	if (a->n == AFTER_MAX)
		return err_set(err, ERR_DATA,
			       "a task waits for at most %d others", AFTER_MAX);
	if ((copy = strdup(text)) == NULL || after_grow(a, err) != 0) {
		free(copy);
		return err_nomem(err);
	}
	a->texts[a->n] = copy;
	one = (struct broker_after){.id = slice_of(copy)};
	one.how = steps_cut_how(&one.id);
	a->list[a->n++] = one;
	if (!task_id_valid(one.id))
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a valid task ID", text);
	for (i = 0; i + 1 < a->n; i++)
		if (slice_eq(a->list[i].id, one.id))
			return err_set(err, ERR_DATA,
				       "task %.*s is named twice",
				       (int)one.id.len, one.id.p);
	return 0;
}

int
command_after_add_list(struct command_after *a, const char *text,
		       struct err *err)
{
	char **words = conf_list(text);
	size_t i;
	int r = 0;

	if (words == NULL)
		return err_nomem(err);
	if (words[0] == NULL)
		r = err_set(err, ERR_DATA, "missing task ID");
	for (i = 0; words[i] != NULL && r == 0; i++)
		r = command_after_add(a, words[i], err);
	conf_list_free(words);
	return r;
}

void
command_after_done(struct command_after *a)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		free(a->texts[i]);
	free(a->texts);
	free(a->list);
	*a = (struct command_after){.n = 0};
}

/* Success need not be said, unless the ID ends as if it were. */
static json_t *
after_text(const json_t *one)
{
	const char *id = json_string_value(json_object_get(one, "id"));
	const json_int_t how = json_integer_value(json_object_get(one, "how"));

	if (id == NULL || how < 0 || how >= (json_int_t)N_WORDS)
		return NULL;
	if (how == BROKER_AFTER_SUCCESS && strchr(id, ':') == NULL)
		return json_string(id);
	return json_sprintf("%s:%s", id, broker_after_words[how]);
}

json_t *
command_after_json(struct slice info)
{
	json_t *list = info.len > 0 ? load_json(info, NULL) : NULL, *all, *one;
	size_t i;

	if (!json_is_array(list)) {
		json_decref(list);
		return NULL;
	}
	all = json_array();
	json_array_foreach (list, i, one)
		json_array_append_new(all, after_text(one));
	json_decref(list);
	return all;
}
