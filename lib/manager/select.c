/* SPDX-License-Identifier: MIT */
/*
 * A selection: the lists of manager/tasks.h, read to their end, of which only the
 * names are kept. So what a person was asked about is what is changed, and not
 * what was submitted meanwhile.
 */
#include "manager/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/dead.h"
#include "manager/member.h"
#include "manager/tasks.h"
#include "util/conf.h"
#include "util/err.h"

static const struct {
	const char *name;
	int bit;
	enum tasks_state
	    state; /* not of the dead, who have a list of their own */
} select_names[] = {
    {"waiting", SELECT_WAITING, TASKS_WAITING},
    {"delayed", SELECT_DELAYED, TASKS_DELAYED},
    {"retrying", SELECT_RETRYING, TASKS_RETRYING},
    {"running", SELECT_RUNNING, TASKS_RUNNING},
    {"dead", SELECT_DEAD, TASKS_WAITING},
};
#define N_NAMES (sizeof(select_names) / sizeof(select_names[0]))

static int
select_bit(const char *word, struct err *err)
{
	size_t i;

	for (i = 0; i < N_NAMES; i++)
		if (strcmp(word, select_names[i].name) == 0)
			return select_names[i].bit;
	return err_set(err, ERR_DATA,
		       "unknown state \"%.64s\"; use waiting, delayed, "
		       "retrying, running, dead",
		       word);
}

int
select_parse(const char *text, struct err *err)
{
	char **words = conf_list(text);
	int bits = 0, bit = 0;
	size_t i;

	if (words == NULL)
		return err_nomem(err);
	for (i = 0; words[i] != NULL && bit >= 0; i++) {
		bit = select_bit(words[i], err);
		bits |= bit;
	}
	conf_list_free(words);
	if (bit >= 0 && bits == 0)
		return err_set(err, ERR_DATA, "missing state");
	return bit < 0 ? -1 : bits;
}

/* `seen` has the ids as its members: a task that moves while lists are read may
 * be met in two of them. Of the dead it has the queues, too: one may be in two of
 * their lists. */
struct selection {
	const struct select *what;
	json_t *tasks, *seen;
};

static int
selection_note(struct selection *s, const char *name, bool *ret_new,
	       struct err *err)
{
	*ret_new = json_object_get(s->seen, name) == NULL;
	return json_object_set_new(s->seen, name, json_true()) == 0
		   ? 0
		   : err_nomem(err);
}

static int
selection_add(struct selection *s, int bit, const json_t *item, struct err *err)
{
	const char *id = member_text(item, "task_id"), *name = id;
	const char *queue = member_text(item, "queue");
	char *both = NULL;
	bool is_new;
	int r;

	/* What cannot be read has no id to name it by. */
	if (id == NULL)
		return 0;
	if (bit == SELECT_DEAD && queue != NULL) {
		if (asprintf(&both, "%s %s", queue, id) < 0)
			return err_nomem(err);
		name = both;
	}
	r = selection_note(s, name, &is_new, err);
	free(both);
	if (r != 0 || !is_new)
		return r;
	if (json_array_append_new(
		s->tasks,
		json_pack("{s:s,s:O,s:O,s:o}", "task_id", id, "task_name",
			  json_object_get(item, "task_name"), "queue",
			  json_object_get(item, "queue"), "state",
			  bit == SELECT_DEAD
			      ? json_string("dead")
			      : json_incref(json_object_get(item, "state")))) !=
	    0)
		return err_nomem(err);
	return 0;
}

static json_t *
selection_page(struct flowrra_client *c, const struct selection *s, size_t i,
	       struct page_query *query, struct err *err)
{
	const struct dead_filter dead = {.tasks = *s->what->filter};

	return select_names[i].bit == SELECT_DEAD
		   ? dead_page(c, &dead, query, err)
		   : tasks_page(c, select_names[i].state, s->what->filter,
				query, err);
}

/* One step of the i-th list; *cursor is replaced, NULL at the end. */
static int
selection_step(struct flowrra_client *c, struct selection *s, size_t i,
	       char **cursor, struct err *err)
{
	struct page_query query = {.cursor = *cursor, .limit = PAGE_LIMIT_MAX};
	json_t *page = selection_page(c, s, i, &query, err);
	const char *next = member_text(page, "next");
	json_t *item;
	int r = page != NULL ? 0 : -1;
	size_t k;

	json_array_foreach (json_object_get(page, "items"), k, item)
		if (r == 0)
			r = selection_add(s, select_names[i].bit, item, err);
	free(*cursor);
	*cursor = next != NULL ? strdup(next) : NULL;
	if (r == 0 && next != NULL && *cursor == NULL)
		r = err_nomem(err);
	json_decref(page);
	if (r == 0 && s->what->on_progress != NULL)
		s->what->on_progress((int64_t)json_array_size(s->tasks),
				     s->what->arg);
	return r;
}

/* In the way of a task, so that one that moves on is rather met twice than
 * missed. */
json_t *
select_tasks(struct flowrra_client *c, const struct select *what,
	     struct err *err)
{
	struct selection s = {what, json_array(), json_object()};
	char *cursor = NULL;
	int r = 0;
	size_t i;

	for (i = 0; i < N_NAMES && r == 0; i++) {
		if ((what->states & select_names[i].bit) == 0)
			continue;
		do
			r = selection_step(c, &s, i, &cursor, err);
		while (r == 0 && cursor != NULL);
	}
	free(cursor);
	json_decref(s.seen);
	if (r == 0)
		return s.tasks;
	json_decref(s.tasks);
	return NULL;
}
