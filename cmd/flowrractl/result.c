/* SPDX-License-Identifier: MIT */
/* The verbs result and wait, and the printing of records, which the verbs
 * with --wait share. The exit status tells what became of the task: 0 it succeeded, 1 it
 * failed, 3 it has not finished. */
#include "result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "own_task.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"
#include "wait.h"

/* What a record says, as an exit status. "Not finished" is the same as "timed
 * out waiting": result is a wait with no patience. */
static int
status_of(const struct flowrra_record *record)
{
	switch (record->state) {
	case FLOWRRA_SUCCESS:
		return FLOWRRA_OK;
	case FLOWRRA_FAILED:
		return FLOWRRA_TASK_FAILED;
	default:
		return FLOWRRA_TIMEOUT;
	}
}

/* That of a command that was killed is a shell's; 124 is timeout(1)'s, and 125 that
 * of env(1) and others for what the command had no part in. */
int
command_status(const struct flowrra_record *record)
{
	if (record->state != FLOWRRA_SUCCESS && record->state != FLOWRRA_FAILED)
		return FLOWRRA_TIMEOUT;
	if (record->reason != NULL && strcmp(record->reason, "timeout") == 0)
		return COMMAND_TIMEOUT;
	if (record->exit_code >= 0)
		return record->exit_code;
	if (record->signal > 0)
		return COMMAND_SIGNAL + record->signal;
	return record->state == FLOWRRA_SUCCESS ? 0 : COMMAND_ITSELF;
}

/* A result goes to standard output as JSON, a string with its quotes: a reader
 * need not guess whether 5 was a number. The failure is a complaint, so that
 * the output of a failed task is empty. */
int
print_record(struct ctl *ctl, const struct flowrra_record *record,
	     const char *prefix)
{
	const char *id = record->id;

	if (ctl->globals.json) {
		print_compact(ctl, record->json);
		putchar('\n');
	} else if (record->state == FLOWRRA_SUCCESS) {
		if (prefix != NULL)
			printf("%s\t", prefix);
		print_compact(ctl,
			      record->result != NULL ? record->result : "null");
		putchar('\n');
	}
	if (record->state == FLOWRRA_FAILED)
		complain(ctl, "task %s %s: %s", id,
			 record->reason != NULL ? record->reason : "failed",
			 record->error != NULL ? record->error
					       : "no reason given");
	else if (record->state != FLOWRRA_SUCCESS)
		complain(ctl, "task %s has not finished; its status is %s", id,
			 flowrra_state_text(record->state));
	return status_of(record);
}

/* An error of ours as the client library has it. */
static int
fail_as_client(const struct err *err, struct flowrra_error *error)
{
	error->code = err_exit_status(err->code);
	snprintf(error->message, sizeof(error->message), "%s", err->msg);
	return -1;
}

int
fetch_record(struct ctl *ctl, const char *id, struct flowrra_record **ret,
	     struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	int r;

	if (ctl->own != NULL)
		r = own_task_record(ctl->own, id, ret, &err);
	else if (ctl->gateway != NULL)
		r = gateway_record(ctl->gateway, id, ret, &err);
	else
		return flowrra_result(ctl->client, id, ret, error);
	return r == 0 ? 0 : fail_as_client(&err, error);
}

int
wait_for_record(struct ctl *ctl, const char *id, double timeout_s,
		struct flowrra_record **ret, struct flowrra_error *error)
{
	struct own_task *aside;
	struct err err = ERR_INIT;
	size_t which;
	int r;

	if (ctl->own != NULL) {
		r = own_task_wait(ctl->own, &id, 1, timeout_s, &which, ret,
				  &err);
	} else if (ctl->gateway != NULL) {
		r = gateway_wait(ctl->gateway, id, timeout_s, ret, &err);
	} else {
		aside = own_task_wait_aside(id);
		r = flowrra_wait(ctl->client, id, timeout_s, ret, error);
		own_task_close(aside);
		return r;
	}
	return r == 0 ? 0 : fail_as_client(&err, error);
}

/* Where waiting fails the task is queued all the same: the complaint says so, with
 * its ID, or a script would submit it again. */
int
print_when_finished(struct ctl *ctl, const char *id, double timeout_s,
		    bool exit_code)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	int status;

	if (wait_for_record(ctl, id, timeout_s, &record, &error) != 0) {
		complain(ctl, "task %s was queued, but: %s", id, error.message);
		return exit_code ? COMMAND_ITSELF : error.code;
	}
	status = print_record(ctl, record, NULL);
	if (exit_code)
		status = command_status(record);
	flowrra_record_free(record);
	return status;
}

/* --- result ------------------------------------------------------------ */

struct result_options {
	bool raw;
};

/* The bytes of a string, also control characters, for a file or another program.
 * Other values have no such form. */
static void
print_raw(const struct flowrra_record *record)
{
	json_t *value =
	    json_loads(record->result != NULL ? record->result : "null",
		       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (json_is_string(value))
		fwrite(json_string_value(value), 1, json_string_length(value),
		       stdout);
	else if (!json_is_null(value))
		puts(record->result);
	json_decref(value);
}

/* Does not wait: a task that has not finished is told as such, with status
 * 3. */
static int
run_result(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct result_options *o = options;
	struct flowrra_record *record;
	struct flowrra_error error;
	int status;

	if (o->raw && ctl->globals.json) {
		complain(ctl, "cannot use --raw with --json");
		return err_exit_status(ERR_USAGE);
	}
	if ((status = ctl_open_near(ctl)) != 0)
		return status;
	if (fetch_record(ctl, argv[0], &record, &error) != 0)
		return complain_of(ctl, &error);
	status = status_of(record);
	if (o->raw && status == FLOWRRA_OK)
		print_raw(record);
	else
		status = print_record(ctl, record, NULL);
	flowrra_record_free(record);
	return status;
}

static const struct option_spec result_options[] = {
    {.name = "raw",
     .help = "print a string as its bytes, without quotes",
     .value = {VALUE_FLAG, offsetof(struct result_options, raw), 0, 0}},
};

const struct verb verb_result = {
    .name = "result",
    .summary = "Print the result of a task",
    .usage = "ID",
    .options = result_options,
    .n_options = sizeof(result_options) / sizeof(result_options[0]),
    .options_size = sizeof(struct result_options),
    .min_args = 1,
    .max_args = 1,
    .words = WORD_RESULT_ID,
    .gateway = true,
    .run = run_result,
};

/* --- wait -------------------------------------------------------------- */

struct wait_options {
	bool any;
	bool all;
	bool exit_code;
	bool from_stdin;
	const char *queue;
	bool delayed;
	double timeout_s;
};

/* Without end; 0 checks once. */
static void
wait_init(void *options)
{
	((struct wait_options *)options)->timeout_s = -1;
}

/* One after the other: the time is one for all. */
static int
wait_for_each(struct ctl *ctl, size_t n, const char *const *ids,
	      double timeout_s, struct flowrra_record **records,
	      struct flowrra_error *error)
{
	const int64_t begun_us = clock_mono_us();
	int result = 0;
	double left;
	size_t i;

	for (i = 0; i < n; i++) {
		left = timeout_s - (double)(clock_mono_us() - begun_us) / 1e6;
		if (wait_for_record(ctl, ids[i],
				    timeout_s < 0 ? -1
				    : left > 0	  ? left
						  : 0,
				    &records[i], error) != 0)
			result = -1;
		if (result != 0 && error->code != FLOWRRA_TIMEOUT)
			return -1;
	}
	return result;
}

/* Between two looks at all of them. */
#define LOOK_NS 250000000L

/* Through the gateway, which has no question for several: looks at one after the
 * other. */
static int
look_for_any(struct ctl *ctl, size_t n, const char *const *ids,
	     double timeout_s, size_t *ret_which, struct flowrra_record **ret,
	     struct err *err)
{
	const int64_t begun_us = clock_mono_us();
	const struct timespec pause = {.tv_nsec = LOOK_NS};

	for (;;) {
		for (*ret_which = 0; *ret_which < n; ++*ret_which) {
			if (gateway_record(ctl->gateway, ids[*ret_which], ret,
					   err) != 0)
				return -1;
			if ((*ret)->state == FLOWRRA_SUCCESS ||
			    (*ret)->state == FLOWRRA_FAILED)
				return 0;
			flowrra_record_free(*ret);
		}
		if (timeout_s >= 0 &&
		    (double)(clock_mono_us() - begun_us) / 1e6 >= timeout_s)
			return err_set(err, ERR_TIMEOUT,
				       "none of the tasks has finished in "
				       "time");
		nanosleep(&pause, NULL);
	}
}

static int
wait_for_any(struct ctl *ctl, size_t n, const char *const *ids,
	     double timeout_s, struct flowrra_record **records,
	     struct flowrra_error *error)
{
	struct err err = ERR_INIT;
	struct flowrra_record *record = NULL;
	size_t which;
	int r;

	if (ctl->own != NULL)
		r = own_task_wait(ctl->own, ids, n, timeout_s, &which, &record,
				  &err);
	else
		r = look_for_any(ctl, n, ids, timeout_s, &which, &record, &err);
	if (r != 0)
		return fail_as_client(&err, error);
	records[which] = record;
	return 0;
}

static int
wait_for_records(struct ctl *ctl, size_t n, const char *const *ids,
		 const struct wait_options *o, struct flowrra_record **records,
		 struct flowrra_error *error)
{
	if (ctl->client == NULL)
		return (o->any ? wait_for_any : wait_for_each)(
		    ctl, n, ids, o->timeout_s, records, error);
	return flowrra_wait_many(ctl->client, ids, n,
				 o->any ? FLOWRRA_WAIT_ANY : FLOWRRA_WAIT_ALL,
				 o->timeout_s, records, error);
}

/* Prints each record that is there, in the order of the IDs, and then complains
 * if others are missing. `records` has room for n and is freed here, member by
 * member. The highest status wins: a failed task (1) is above a good one, a
 * timeout (3) above both. */
static int
wait_and_print(struct ctl *ctl, size_t n, const char *const *ids,
	       const struct wait_options *o, struct flowrra_record **records)
{
	struct flowrra_error error;
	int status = 0, one, result;
	size_t i;

	result = wait_for_records(ctl, n, ids, o, records, &error);
	for (i = 0; i < n; i++) {
		if (records[i] == NULL)
			continue;
		one = print_record(ctl, records[i], n > 1 ? ids[i] : NULL);
		if (o->exit_code)
			one = command_status(records[i]);
		if (one > status)
			status = one;
		flowrra_record_free(records[i]);
	}
	if (result == 0)
		return status;
	complain(ctl, "%s", error.message);
	return o->exit_code ? COMMAND_ITSELF : error.code;
}

/* With --any all IDs have to be known at once: it is over with the first end. */
static int
wait_check(const struct wait_options *o, int argc, struct err *err)
{
	if (o->any && o->all)
		return err_set(err, ERR_USAGE, "cannot use --any with --all");
	if (o->from_stdin + (o->queue != NULL) + (argc > 0) != 1)
		return err_set(err, ERR_USAGE,
			       "use one of: IDs, --stdin, --queue QUEUE");
	if (argc == 0 && (o->any || o->all))
		return err_set(err, ERR_USAGE,
			       "--any and --all need IDs as arguments");
	if (argc == 0 && o->exit_code)
		return err_set(err, ERR_USAGE,
			       "--exit-code needs IDs as arguments");
	if (o->delayed && o->queue == NULL)
		return err_set(err, ERR_USAGE, "--delayed needs --queue");
	return 0;
}

/* Records that have come before a timeout are printed all the same: one slow
 * task does not hide the results of the others. */
static int
run_wait(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct wait_options *o = options;
	struct flowrra_record **records;
	struct err err = ERR_INIT;
	int status;

	if (wait_check(o, argc, &err) != 0)
		return complain_of_err(ctl, &err);
	/* The queues are nothing that a task is told of. */
	status = o->queue != NULL ? ctl_open(ctl) : ctl_open_near(ctl);
	if (status != 0)
		return status;
	if (argc == 0) {
		return o->from_stdin ? wait_stream(ctl, o->timeout_s)
				     : wait_queue(ctl, o->queue, o->delayed,
						  o->timeout_s);
	}
	if ((records = calloc((size_t)argc, sizeof(void *))) == NULL) {
		complain(ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	status = wait_and_print(ctl, (size_t)argc, (const char *const *)argv, o,
				records);
	free(records);
	return status;
}

static const struct option_spec wait_options[] = {
    {.name = "any",
     .help = "wait until at least one task has finished",
     .value = {VALUE_FLAG, offsetof(struct wait_options, any), 0, 0}},
    {.name = "all",
     .help = "wait until all have finished (the default)",
     .value = {VALUE_FLAG, offsetof(struct wait_options, all), 0, 0}},
    {.name = "exit-code",
     .help = "exit as the command of the task did",
     .value = {VALUE_FLAG, offsetof(struct wait_options, exit_code), 0, 0}},
    {.name = "stdin",
     .help = "read the IDs from standard input, one a line",
     .value = {VALUE_FLAG, offsetof(struct wait_options, from_stdin), 0, 0}},
    {.name = "queue",
     .arg = "QUEUE",
     .help = "wait until no task waits or runs in this queue",
     .value = {VALUE_TEXT, offsetof(struct wait_options, queue), 0, 0}},
    {.name = "delayed",
     .help = "with --queue: until none is delayed either",
     .value = {VALUE_FLAG, offsetof(struct wait_options, delayed), 0, 0}},
    {.name = "timeout",
     .arg = "DURATION",
     .help = "wait at most this long; 0: check once",
     .value = {VALUE_SECONDS, offsetof(struct wait_options, timeout_s), 0,
	       316224000}},
};

const struct verb verb_wait = {
    .name = "wait",
    .summary = "Wait for tasks and print their results",
    .usage = "ID...|--stdin|--queue QUEUE [--any|--all] "
	     "[--timeout DURATION] [--exit-code]",
    .options = wait_options,
    .n_options = sizeof(wait_options) / sizeof(wait_options[0]),
    .options_size = sizeof(struct wait_options),
    .init = wait_init,
    .max_args = -1,
    .words = WORD_TASK_ID,
    .gateway = true,
    .run = run_wait,
};
