/* SPDX-License-Identifier: MIT */
/*
 * Many commands at once, which differ in one item each: one flush to disk for all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/command.h"
#include "util/name.h"

#define PLACE "{}"

static size_t
many_count(const char *const *argv)
{
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	return n;
}

/* As xargs has it without -I, and parallel: who names no place means the end. */
static bool
many_has_place(const char *const *argv)
{
	for (; *argv != NULL; argv++)
		if (strstr(*argv, PLACE) != NULL)
			return true;
	return false;
}

/* A word with the item in each place for it, and its NUL. */
static void
many_fill(const char *word, const char *item, struct buf *out)
{
	const char *place;

	for (; (place = strstr(word, PLACE)) != NULL;
	     word = place + strlen(PLACE)) {
		buf_add(out, word, (size_t)(place - word));
		buf_adds(out, item);
	}
	buf_add(out, word, strlen(word) + 1);
}

/* The words of one of them: a NULL-ended list, and the text that it points into. */
static char **
many_words(const struct command *c, bool shell, const char *item,
	   struct buf *text)
{
	const size_t n = many_count(c->argv);
	const bool filled = !shell && many_has_place(c->argv);
	char **words = calloc(n + 3, sizeof(*words)), *p;
	size_t i, count = n;

	for (i = 0; i < n; i++)
		many_fill(c->argv[i], filled ? item : PLACE, text);
	/* What sh -c takes for $0. */
	if (shell) {
		buf_add(text, "sh", 3);
		count++;
	}
	if (!filled) {
		buf_add(text, item, strlen(item) + 1);
		count++;
	}
	if (words == NULL || text->failed) {
		free(words);
		return NULL;
	}
	for (i = 0, p = text->data; i < count; i++, p += strlen(p) + 1)
		words[i] = p;
	return words;
}

/* A command that is too large, say, is refused here, and the others go on. */
int
command_add(struct flowrra_batch *batch, const struct command *command,
	    const struct flowrra_request *request, const char *id,
	    struct err *err)
{
	struct flowrra_request own = *request;
	struct flowrra_error error;
	struct buf kwargs = BUF_INIT;
	int r;

	command_write(command, &kwargs);
	own.name = NAME_ADHOC;
	own.kwargs = kwargs.data;
	own.id = id;
	own.force = true;
	if (kwargs.failed)
		r = err_nomem(err);
	else if ((r = flowrra_batch_add(batch, &own, &error)) != 0)
		err_set(err, ERR_DATA, "%s", error.message);
	buf_done(&kwargs);
	return r;
}

/* Adds them; those that cannot be have their answer. Returns how many were. */
static size_t
many_fill_batch(struct flowrra_batch *batch, const struct command *command,
		bool shell, const char *const *items, size_t n,
		const struct flowrra_request *request,
		struct command_answer *answers)
{
	struct command one = *command;
	struct buf text = BUF_INIT;
	size_t i, added = 0;
	char **words;

	for (i = 0; i < n; i++) {
		buf_reset(&text);
		words = many_words(command, shell, items[i], &text);
		one.argv = (const char *const *)words;
		if (words == NULL)
			err_nomem(&answers[i].err);
		else if (command_add(batch, &one, request, answers[i].id,
				     &answers[i].err) == 0)
			added++;
		free(words);
	}
	buf_done(&text);
	return added;
}

int
command_refused(const struct flowrra_error *error, struct err *err)
{
	static const enum err_code codes[] = {ERR_REFUSED, ERR_NOT_FOUND,
					      ERR_CONFIG};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (error->code == err_exit_status(codes[i]))
			return err_set(err, codes[i], "%s", error->message);
	return err_set(err, ERR_UNAVAILABLE, "%s", error->message);
}

/* The answers of those that were added, in their order. */
static void
many_take_answers(struct flowrra_batch *batch, struct command_answer *answers,
		  size_t n)
{
	struct flowrra_error error;
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		if (answers[i].err.code != ERR_NONE)
			continue;
		if (flowrra_batch_answer(batch, at++, &error) != 0)
			command_refused(&error, &answers[i].err);
	}
}

/* Numbers first, all at once. Those of commands that are refused are lost: a gap does
 * no harm, and a number that is given twice would. */
int
command_submit_many(struct flowrra_client *c, const struct command *command,
		    bool shell, const char *const *items, size_t n,
		    const struct flowrra_request *request,
		    struct command_answer *answers, struct err *err)
{
	struct flowrra_batch *batch;
	struct flowrra_error error;
	long long first = 0;
	size_t i;
	int r = 0;

	if (command_take_numbers(c, (unsigned int)n, &first, err) != 0)
		return -1;
	if (flowrra_batch_new(c, &batch, &error) != 0)
		return err_nomem(err);
	client_batch_allow_adhoc(batch);
	client_batch_wait_for(batch, command->after, command->n_after, false);
	client_batch_share(batch, command_blob_name(command),
			   command_blob(command));
	for (i = 0; i < n; i++) {
		answers[i].err = (struct err)ERR_INIT;
		snprintf(answers[i].id, sizeof(answers[i].id), "%lld",
			 first + (long long)i);
	}
	if (many_fill_batch(batch, command, shell, items, n, request, answers) >
	    0) {
		r = flowrra_batch_send(batch, &error) != 0 ||
			    flowrra_batch_wait(batch, &error) != 0
			? err_set(err, ERR_UNAVAILABLE, "%s", error.message)
			: 0;
		if (r == 0)
			many_take_answers(batch, answers, n);
	}
	flowrra_batch_free(batch);
	return r;
}
