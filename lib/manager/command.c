/* SPDX-License-Identifier: MIT */
/*
 * A command as a task.
 *
 * Its ID is taken first, since it is a part of the task: a counter of the store,
 * so that people can type it. All else is one submission like others.
 */
#include "manager/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "codec/scan.h"
#include "codec/word.h"
#include "codec/write.h"
#include "store/broker.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"
#include "util/pending.h"
#include "util/utf8.h"

/* Shorter than this, an environment costs less than its name in two places. */
#define SHARE_MIN 512

/* --- the task ------------------------------------------------------------- */

static void
command_write_word(struct buf *out, struct slice key, const char *word)
{
	buf_add(out, key.p, key.len);
	word_write(slice_of(word), out);
}

/* Of a name; a value may be any bytes. */
static bool
command_is_utf8(const char *text, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i += n)
		if ((n = utf8_length(text + i, len - i)) == 0)
			return false;
	return true;
}

/* A name that is not UTF-8 cannot be a member of an object. Nobody has such. */
static void
command_write_environment(char **environment, struct buf *out)
{
	const char *value;
	size_t len;
	bool any = false;

	buf_addc(out, '{');
	for (; *environment != NULL; environment++) {
		if ((value = strchr(*environment, '=')) == NULL)
			continue;
		len = (size_t)(value - *environment);
		if (len == 0 || !command_is_utf8(*environment, len))
			continue;
		if (any)
			buf_addc(out, ',');
		any = true;
		scan_quote(out, (struct slice){*environment, len});
		buf_addc(out, ':');
		word_write(slice_of(value + 1), out);
	}
	buf_addc(out, '}');
}

void
command_write(const struct command *c, struct buf *out)
{
	size_t i;

	buf_adds(out, "{\"argv\":[");
	for (i = 0; c->argv[i] != NULL; i++)
		command_write_word(out, i > 0 ? SLICE(",") : SLICE(""),
				   c->argv[i]);
	buf_addc(out, ']');
	if (c->label != NULL)
		command_write_word(out, SLICE(",\"name\":"), c->label);
	if (c->lock != NULL)
		command_write_word(out, SLICE(",\"lock\":"), c->lock);
	command_write_word(out, SLICE(",\"cwd\":"), c->directory);
	buf_addf(out, ",\"umask\":\"%03o\"", (unsigned int)c->mask);
	if (c->input != NULL) {
		buf_adds(out, ",\"stdin\":");
		word_write(*c->input, out);
	}
	if (c->input_file != NULL)
		command_write_word(out, SLICE(",\"stdin_file\":"),
				   c->input_file);
	if (c->shared != NULL && c->shared->text.len > 0) {
		buf_addf(out, ",\"" BLOB_MEMBER "\":\"%s\"", c->shared->name);
	} else {
		buf_adds(out, ",\"env\":");
		command_write_environment(c->environment, out);
	}
	buf_addc(out, '}');
}

int
command_share(const struct flowrra_client *c, char **environment,
	      struct command_shared *ret, struct err *err)
{
	*ret = (struct command_shared){.text = BUF_INIT};
	command_write_environment(environment, &ret->text);
	if (ret->text.failed)
		return err_nomem(err);
	/* Tasks are read with what they share: both together have one limit. */
	if (!c->one_store || ret->text.len < SHARE_MIN ||
	    (int64_t)ret->text.len > c->conf->worker.max_task_size / 2) {
		buf_reset(&ret->text);
		return 0;
	}
	blob_name((struct slice){ret->text.data, ret->text.len}, ret->name);
	return 0;
}

/* --- a number ---------------------------------------------------------------- */

_Static_assert(COMMAND_ID_SIZE == FLOWRRA_ID_SIZE, "IDs fit");

struct numbers {
	struct query query;
	unsigned int n;
};

static void
numbers_send(struct query *q)
{
	const struct numbers *numbers = container_of(q, struct numbers, query);

	broker_numbers(q->client->broker, numbers->n, query_answer, q);
}

/* Never twice: of a number that was taken and not told, nobody hears again. */
int
command_take_numbers(struct flowrra_client *c, unsigned int n,
		     long long *ret_first, struct err *err)
{
	struct numbers numbers = {
	    .query = {.client = c, .send = numbers_send, .once = true}, .n = n};
	int r = query_run(&numbers.query, err);

	if (r == 0)
		*ret_first = strtoll(numbers.query.value.data, NULL, 10);
	buf_done(&numbers.query.value);
	return r;
}

int
command_last(struct flowrra_client *c, char id[], struct err *err)
{
	long long next = 0;

	if (command_take_numbers(c, 0, &next, err) != 0)
		return -1;
	if (next <= 1)
		return err_set(err, ERR_NOT_FOUND,
			       "no command was submitted yet");
	snprintf(id, FLOWRRA_ID_SIZE, "%lld", next - 1);
	return 0;
}

struct slice
command_blob(const struct command *command)
{
	const struct command_shared *s = command->shared;

	return s != NULL ? (struct slice){s->text.data, s->text.len}
			 : SLICE("");
}

struct slice
command_blob_name(const struct command *command)
{
	return slice_of(command->shared != NULL ? command->shared->name : "");
}

int
command_submit(struct flowrra_client *c, const struct command *command,
	       const struct flowrra_request *request, char id[],
	       struct err *err)
{
	struct flowrra_request own = *request;
	const struct submission s = {.request = &own,
				     .adhoc = true,
				     .after = command->after,
				     .n_after = command->n_after,
				     .blob_name = command_blob_name(command),
				     .blob = command_blob(command)};
	char number[FLOWRRA_ID_SIZE];
	long long taken = 0;
	struct buf kwargs = BUF_INIT;
	int r, tries = 0;

	command_write(command, &kwargs);
	if (kwargs.failed)
		return err_nomem(err);
	own.name = NAME_ADHOC;
	own.kwargs = kwargs.data;
	own.id = number;
	own.force = true;
	do {
		r = command_take_numbers(c, 1, &taken, err);
		snprintf(number, sizeof(number), "%lld", taken);
		if (r == 0 && command->before != NULL)
			command->before(number, command->arg);
		if (r == 0)
			r = client_submit(c, &s, id, err);
	} while (r != 0 && err->code == ERR_REFUSED &&
		 ++tries < COMMAND_ID_TRIES);
	buf_done(&kwargs);
	return r;
}
