/* SPDX-License-Identifier: MIT */
/*
 * Short IDs. No store has an index of the beginnings of IDs; but what people type they
 * have just seen, in a list of the newest. So the same lists are looked at.
 */
#include "manager/short_id.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "manager/dead.h"
#include "manager/member.h"
#include "manager/query.h"
#include "manager/tasks.h"
#include "util/err.h"
#include "util/uuid.h"

/* Of several, this many are listed. */
#define SHOWN_MAX 5

bool
short_id_is_one(const char *word)
{
	const size_t len = strlen(word);
	size_t i;
	bool hyphen;

	/* A number that people give does not begin with 0, and a UUID of this
	 * century does. */
	if (len < SHORT_ID_MIN || len >= UUID_TEXT_SIZE - 1 ||
	    (word[0] != '0' && word[strspn(word, "0123456789")] == '\0'))
		return false;
	for (i = 0; i < len; i++) {
		hyphen = i == 8 || i == 13 || i == 18 || i == 23;
		if (hyphen ? word[i] != '-'
			   : strchr("0123456789abcdef", word[i]) == NULL)
			return false;
	}
	return true;
}

/* `found` has them as its members: one may be in several lists. What other programs
 * have put there need not be an ID. */
static int
short_id_add(json_t *list, const char *member, const char *word, json_t *found)
{
	const char *id;
	json_t *row;
	size_t i;

	if (list == NULL)
		return -1;
	json_array_foreach (list, i, row) {
		id = member_text(row, member);
		if (id != NULL && task_id_valid(slice_of(id)) &&
		    strncmp(id, word, strlen(word)) == 0)
			json_object_set_new(found, id, json_true());
	}
	json_decref(list);
	return 0;
}

static int
short_id_look(struct flowrra_client *c, const char *word, json_t *found,
	      struct err *err)
{
	static const enum tasks_state states[] = {
	    TASKS_PENDING, TASKS_RUNNING, TASKS_COMPLETED, TASKS_FAILED};
	struct tasks_query query = {.limit = SHORT_ID_DEPTH,
				    .depth = SHORT_ID_DEPTH};
	struct dead_query dead = {.limit = SHORT_ID_DEPTH,
				  .depth = SHORT_ID_DEPTH};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (short_id_add(tasks_list(c, states[i], &query, err),
				 "task_id", word, found) != 0)
			return -1;
	return short_id_add(dead_list(c, &dead, err), "key", word, found);
}

static int
short_id_ambiguous(const json_t *found, const char *word, struct err *err)
{
	const size_t n = json_object_size(found);
	char text[SHOWN_MAX * (UUID_TEXT_SIZE + 2)] = "";
	size_t len = 0, i = 0;
	const char *id;
	json_t *value;

	json_object_foreach ((json_t *)found, id, value)
		if (i++ < SHOWN_MAX && len < sizeof(text))
			len +=
			    (size_t)snprintf(text + len, sizeof(text) - len,
					     "%s%.36s", i > 1 ? ", " : "", id);
	return err_set(err, ERR_DATA, "ID %s is ambiguous; it may be %s%s",
		       word, text, n > SHOWN_MAX ? ", or others" : "");
}

static int
short_id_choose(json_t *found, const char *word, char id[TASK_ID_MAX + 1],
		struct err *err)
{
	const char *only = json_object_iter_key(json_object_iter(found));

	if (json_object_get(found, word) != NULL)
		only = word;
	else if (json_object_size(found) > 1)
		return short_id_ambiguous(found, word, err);
	if (only == NULL)
		return 0;
	snprintf(id, TASK_ID_MAX + 1, "%s", only);
	return 1;
}

int
short_id_find(struct flowrra_client *c, const char *word,
	      char id[TASK_ID_MAX + 1], struct err *err)
{
	json_t *record = query_record(c, word, err), *found;
	const bool whole = json_is_object(record);
	int r;

	json_decref(record);
	if (record == NULL)
		return -1;
	if (whole) {
		snprintf(id, TASK_ID_MAX + 1, "%s", word);
		return 1;
	}
	if ((found = json_object()) == NULL)
		return err_nomem(err);
	r = short_id_look(c, word, found, err);
	if (r == 0)
		r = short_id_choose(found, word, id, err);
	json_decref(found);
	return r;
}
