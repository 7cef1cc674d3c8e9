/* SPDX-License-Identifier: MIT */
/*
 * A command, and another one that runs if it fails: one batch, and so one step of the
 * store. There is never the one without the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/command.h"
#include "store/broker.h"

/* The environment and one more variable. */
static char **
watched_environment(char **environment, char *variable)
{
	char **list;
	size_t n = 0;

	while (environment[n] != NULL)
		n++;
	if ((list = calloc(n + 2, sizeof(*list))) == NULL)
		return NULL;
	memcpy(list, environment, n * sizeof(*list));
	list[n] = variable;
	return list;
}

/* It runs at once, whatever was asked of the command it is for, and once. */
static struct flowrra_request
watched_request(const struct flowrra_request *request)
{
	struct flowrra_request own = FLOWRRA_REQUEST_INIT;

	own.queue = request->queue;
	own.priority = request->priority;
	own.max_retries = 0;
	return own;
}

static int
watched_add_line(struct flowrra_batch *batch, const struct command *command,
		 const char *line, const struct flowrra_request *request,
		 const char *failed, const char *id, struct err *err)
{
	const struct flowrra_request own = watched_request(request);
	const char *const words[] = {"/bin/sh", "-c", line, NULL};
	char label[FLOWRRA_ID_SIZE + 32],
	    variable[FLOWRRA_ID_SIZE + sizeof("FLOWRRA_FAILED_ID=")];
	struct command c = {.argv = words,
			    .label = label,
			    .directory = command->directory,
			    .mask = command->mask};
	int r;

	snprintf(label, sizeof(label), "on-failure of %s", failed);
	snprintf(variable, sizeof(variable), "FLOWRRA_FAILED_ID=%s", failed);
	c.environment = watched_environment(command->environment, variable);
	r = c.environment != NULL ? command_add(batch, &c, &own, id, err)
				  : err_nomem(err);
	free(c.environment);
	return r;
}

/* Both, with these numbers. */
static int
watched_send(struct flowrra_batch *batch, const struct command *command,
	     const char *line, const struct flowrra_request *request,
	     long long number, struct err *err)
{
	char first[FLOWRRA_ID_SIZE], second[FLOWRRA_ID_SIZE];
	struct broker_after after = {.how = BROKER_AFTER_FAILURE};
	struct flowrra_error error;

	snprintf(first, sizeof(first), "%lld", number);
	snprintf(second, sizeof(second), "%lld", number + 1);
	if (command->before != NULL)
		command->before(first, command->arg);
	flowrra_batch_reset(batch);
	client_batch_wait_for(batch, command->after, command->n_after, false);
	client_batch_share(batch, command_blob_name(command),
			   command_blob(command));
	if (command_add(batch, command, request, first, err) != 0)
		return -1;
	after.id = slice_of(first);
	client_batch_wait_for(batch, &after, 1, true);
	client_batch_share(batch, SLICE(""), SLICE(""));
	if (watched_add_line(batch, command, line, request, first, second,
			     err) != 0)
		return -1;
	if (flowrra_batch_send(batch, &error) != 0 ||
	    flowrra_batch_wait(batch, &error) != 0 ||
	    flowrra_batch_answer(batch, 0, &error) != 0 ||
	    flowrra_batch_answer(batch, 1, &error) != 0)
		return command_refused(&error, err);
	return 0;
}

int
command_submit_watched(struct flowrra_client *c, const struct command *command,
		       const char *line, const struct flowrra_request *request,
		       char id[], struct err *err)
{
	struct flowrra_batch *batch;
	struct flowrra_error error;
	long long number = 0;
	int r, tries = 0;

	if (flowrra_batch_new(c, &batch, &error) != 0)
		return err_nomem(err);
	client_batch_allow_adhoc(batch);
	do {
		r = command_take_numbers(c, 2, &number, err);
		if (r == 0)
			r = watched_send(batch, command, line, request, number,
					 err);
	} while (r != 0 && err->code == ERR_REFUSED &&
		 ++tries < COMMAND_ID_TRIES);
	if (r == 0)
		snprintf(id, FLOWRRA_ID_SIZE, "%s", flowrra_batch_id(batch, 0));
	flowrra_batch_free(batch);
	return r;
}
