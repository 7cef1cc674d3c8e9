/* SPDX-License-Identifier: MIT */
/* What a word on the command line can be, from the servers: for completion in
 * shells. Everything here is best effort: an error means no candidates, and
 * nothing is ever said, since the text would land in the middle of the command
 * line that a person is typing. */
#include "candidates.h"

#include <stdio.h>
#include <string.h>

#include "flowrra/client.h"
#include "manager/dead.h"
#include "manager/queues.h"
#include "manager/tasks.h"
#include "manager/workers.h"
#include "schedule.h"
#include "schedules/schedules.h"
#include "util/err.h"

/* A terminal shows a few dozens at once; 200 is several screens. It also bounds
 * what a key press costs the servers: one page of each list. */
#define MANY 200

/*
 * Anybody may name tasks and workers. What a shell would read as more than a
 * word is not offered: it would stand on the command line, ready to be run.
 */
static bool
is_plain(const char *word)
{
	return word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz"
				 "0123456789_.:,@%+=/-")] == '\0';
}

/* A candidate is one line, with a tab between the word and what it is: the
 * description must not end it. */
static bool
is_one_line(const char *text)
{
	return text[strcspn(text, "\t\r\n")] == '\0';
}

/* `what` is left out where it would end the line; the word is still of use. */
void
print_candidate(const char *word, const char *what, const char *prefix)
{
	if (word != NULL && is_plain(word) &&
	    strncmp(word, prefix, strlen(prefix)) == 0) {
		printf("%s\t", word);
		print_masked(what != NULL && is_one_line(what) ? what : "", 0);
		putchar('\n');
	}
}

/* Of each row, the word and what it is. */
static void
print_list_of(json_t *rows, const char *word, const char *what,
	      const char *prefix)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		print_candidate(json_string_value(json_object_get(row, word)),
				json_string_value(json_object_get(row, what)),
				prefix);
	json_decref(rows);
}

/* Names of registered tasks. A NULL error: nobody would print it. */
static void
print_names(struct ctl *ctl, const char *prefix)
{
	json_t *names, *name;
	char *text;
	size_t i;

	if (flowrra_registered_names(ctl->client, &text, NULL) != 0)
		return;
	names = json_loads(text, 0, NULL);
	flowrra_free(text);
	json_array_foreach (names, i, name)
		print_candidate(json_string_value(name), "task", prefix);
	json_decref(names);
}

/* IDs of tasks in a state, the newest first, each with its name. */
static void
print_tasks(struct ctl *ctl, enum tasks_state state, const char *prefix)
{
	struct tasks_query query = {.limit = MANY, .depth = MANY};

	print_list_of(tasks_list(ctl->client, state, &query, NULL), "task_id",
		      "task_name", prefix);
}

/* By key and not by task ID: a task that cannot be read has only that. */
static void
print_dead(struct ctl *ctl, const char *prefix)
{
	struct dead_query query = {.limit = MANY, .depth = MANY};

	print_list_of(dead_list(ctl->client, &query, NULL), "key", "task_name",
		      prefix);
}

/* Schedules have a database of their own: the client is not opened for them,
 * which would wait for a broker that may be down. */
static void
print_schedules(struct ctl *ctl, const char *prefix)
{
	const struct schedules_filter filter = {.limit = MANY};
	struct schedules_list *list;
	struct schedules *db;
	int status;
	size_t i;

	if ((db = open_schedules(ctl, true, &status)) == NULL)
		return;
	if (schedules_list(db, &filter, &list, NULL) == 0) {
		for (i = 0; i < list->n; i++)
			print_candidate(list->items[i].id, list->items[i].task,
					prefix);
		schedules_list_free(list);
	}
	schedules_close(db);
}

/* A final record can be shown as well as one that is not: RESULT_ID is both,
 * the finished ones first. */
static void
print_from_servers(struct ctl *ctl, enum word_kind kind, const char *prefix)
{
	switch (kind) {
	case WORD_TASK_NAME:
		print_names(ctl, prefix);
		break;
	case WORD_RESULT_ID:
		print_tasks(ctl, TASKS_COMPLETED, prefix);
		print_tasks(ctl, TASKS_FAILED, prefix);
		/* fall through */
	case WORD_TASK_ID:
		print_tasks(ctl, TASKS_RUNNING, prefix);
		print_tasks(ctl, TASKS_PENDING, prefix);
		break;
	case WORD_DEAD_ID:
		print_dead(ctl, prefix);
		break;
	case WORD_QUEUE:
		print_list_of(queues_list(ctl->client, NULL, NULL), "queue", "",
			      prefix);
		break;
	case WORD_WORKER:
		print_list_of(workers_list(ctl->client, NULL), "worker",
			      "state", prefix);
		break;
	default:
		break;
	}
}

void
print_candidates(struct ctl *ctl, enum word_kind kind, const char *prefix)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	size_t i;

	/* Not even a wrong configuration is complained of. */
	ctl->globals.quiet = true;
	if (kind == WORD_SHELL)
		for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
			print_candidate(shells[i], "", prefix);
	else if (kind == WORD_SCHEDULE)
		print_schedules(ctl, prefix);
	else if (kind != WORD_ANY && kind != WORD_VERB && ctl_open(ctl) == 0)
		print_from_servers(ctl, kind, prefix);
}
