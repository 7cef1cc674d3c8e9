/* SPDX-License-Identifier: MIT */
/* Names of verbs: which one the words of a command line begin with, and which
 * ones may have been meant if it is none. */
#include <stdio.h>
#include <string.h>

#include "util/closest.h"
#include "util/err.h"
#include "verb.h"

/* Groups, as people say them who think of one thing or of many. `alone` is what
 * the word means without a second one; where a verb has that very name, it
 * counts. */
static const struct {
	const char *said, *group, *alone;
} groups[] = {
    {"task", "tasks", "tasks"},
    {"tasks", "tasks", "tasks"},
    {"queue", "queue", "queues"},
    {"queues", "queue", "queues"},
    {"worker", "worker", "workers"},
    {"workers", "worker", "workers"},
    {"schedule", "schedule", "schedule list"},
    {"schedules", "schedule", "schedule list"},
    {"workflow", "workflow", "workflow list"},
    {"workflows", "workflow", "workflow list"},
};
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

bool
is_group(const char *word)
{
	const size_t length = strlen(word);
	size_t i;

	/* With the space, so that "task" is not the beginning of "tasks". */
	for (i = 0; verbs[i] != NULL; i++)
		if (strncmp(verbs[i]->name, word, length) == 0 &&
		    verbs[i]->name[length] == ' ')
			return true;
	return false;
}

const char *
group_word(const char *word)
{
	size_t i;

	for (i = 0; i < N_GROUPS; i++)
		if (strcmp(groups[i].said, word) == 0)
			return groups[i].group;
	return word;
}

/* --- the verb that was named --------------------------------------------- */

/* Whether a name is the first word, or the first two. */
static bool
is_name(const char *name, const char *first, const char *second)
{
	const size_t length = strlen(first);

	if (name == NULL || strncmp(name, first, length) != 0)
		return false;
	return second == NULL ? name[length] == '\0'
			      : name[length] == ' ' &&
				    strcmp(name + length + 1, second) == 0;
}

/* `second` is NULL for a verb of one word. */
static const struct verb *
find_name(const char *first, const char *second)
{
	size_t i;

	for (i = 0; verbs[i] != NULL; i++)
		if (is_name(verbs[i]->name, first, second) ||
		    is_name(verbs[i]->alias, first, second))
			return verbs[i];
	return NULL;
}

/* "task show" is "tasks show", and "queues pause x" is "queue pause x". But
 * "queues pause" lists the queue of that name, as it always did. */
static const struct verb *
find_pair(int n, char **words)
{
	const char *group = group_word(words[0]);

	if (n < 2 || (strcmp(group, words[0]) != 0 &&
		      find_name(words[0], NULL) != NULL &&
		      (n == 2 || words[2][0] == '-')))
		return NULL;
	return find_name(group, words[1]);
}

/* What the word of a group means alone, before options, or with "list". */
static const struct verb *
find_alone(const char *word)
{
	size_t i, k;

	for (i = 0; i < N_GROUPS; i++)
		for (k = 0;
		     strcmp(groups[i].said, word) == 0 && verbs[k] != NULL; k++)
			if (strcmp(verbs[k]->name, groups[i].alone) == 0)
				return verbs[k];
	return NULL;
}

const struct verb *
find_verb(int n, char **words, int *ret_used)
{
	const bool lists = n > 1 && strcmp(words[1], "list") == 0;
	const bool alone = n == 1 || words[1][0] == '-';
	const struct verb *verb = find_pair(n, words);

	*ret_used = verb != NULL ? 2 : 1;
	if (verb != NULL)
		return verb;
	verb = find_name(words[0], NULL);
	/* But "queues list" lists the queue of that name. */
	if (lists && (verb == NULL || verb->max_args == 0) &&
	    find_alone(words[0]) != NULL) {
		*ret_used = 2;
		return find_alone(words[0]);
	}
	/* "tasks frob" is a mistake in the name, and not in an argument. */
	if (verb != NULL && verb->max_args == 0 && !alone && is_group(words[0]))
		return NULL;
	return verb == NULL && alone ? find_alone(words[0]) : verb;
}

/* --- what may have been meant -------------------------------------------- */

/* The verbs whose names are close to what was typed, or that have its first
 * word as their second: "retry" is "tasks retry". Returns how many. */
static size_t
verb_write_closest(int n, char **words, char text[CLOSEST_TEXT_SIZE])
{
	/* A name that is longer than this is close to none of ours. */
	char typed[64];
	struct closest closest = CLOSEST_INIT(typed);
	const char *space;
	char group[16];
	size_t i;

	snprintf(typed, sizeof(typed), "%s%s%s", words[0], n > 1 ? " " : "",
		 n > 1 ? words[1] : "");
	for (i = 0; verbs[i] != NULL; i++) {
		space = strchr(verbs[i]->name, ' ');
		snprintf(group, sizeof(group), "%.*s",
			 (int)strcspn(verbs[i]->name, " "), verbs[i]->name);
		if (space != NULL && strcmp(space + 1, words[0]) == 0)
			closest_put(&closest, verbs[i]->name, 0);
		else if (space != NULL && n > 1)
			closest_offer(&closest, verbs[i]->name);
		else if (closest_distance(words[0], group) <=
			 strlen(words[0]) / 3)
			closest_put(&closest, verbs[i]->name, 1);
	}
	return closest_write(&closest, text);
}

/* The second words of a group, "pending, running"; the longest, that of tasks,
 * has some 150 bytes of names. */
static void
write_subcommands(const char *group, char *text, size_t size)
{
	const size_t length = strlen(group);
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; verbs[i] != NULL && len < size; i++)
		if (strncmp(verbs[i]->name, group, length) == 0 &&
		    verbs[i]->name[length] == ' ')
			len += (size_t)snprintf(text + len, size - len, "%s%s",
						len > 0 ? ", " : "",
						verbs[i]->name + length + 1);
}

/* The second word of the group that is closest to what was typed; false if none
 * is close. */
static bool
closest_subcommand(const char *group, const char *typed,
		   char text[CLOSEST_TEXT_SIZE])
{
	const size_t length = strlen(group);
	struct closest closest = CLOSEST_INIT(typed);
	size_t i;

	for (i = 0; verbs[i] != NULL; i++)
		if (strncmp(verbs[i]->name, group, length) == 0 &&
		    verbs[i]->name[length] == ' ')
			closest_offer(&closest, verbs[i]->name + length + 1);
	return closest_write(&closest, text) > 0;
}

void
unknown_verb(int n, char **words, struct err *err)
{
	const char *group = group_word(words[0]);
	char known[384], close[CLOSEST_TEXT_SIZE];

	if (!is_group(group)) {
		if (verb_write_closest(n, words, close) > 0)
			err_set(err, ERR_USAGE,
				"unknown command \"%.64s\"; did you mean %s?",
				words[0], close);
		else
			err_set(err, ERR_USAGE, "unknown command \"%.64s\"",
				words[0]);
		return;
	}
	write_subcommands(group, known, sizeof(known));
	if (n < 2)
		err_set(err, ERR_USAGE, "\"%s\" needs a subcommand: %s", group,
			known);
	else if (closest_subcommand(group, words[1], close))
		err_set(err, ERR_USAGE,
			"unknown command \"%s %.64s\"; did you mean %s?", group,
			words[1], close);
	else
		err_set(err, ERR_USAGE,
			"unknown command \"%s %.64s\"; known: %s", group,
			words[1], known);
}
