/* SPDX-License-Identifier: MIT */
/* The verb logs: what a command, or a task in a module, has printed, or prints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/capture_read.h"
#include "flowrra/client.h"
#include "logs.h"
#include "manager/command.h"
#include "manager/member.h"
#include "pager.h"
#include "result.h"
#include "show_output.h"
#include "util/conf.h"
#include "util/err.h"
#include "verb.h"

/* 0 lines is a number that somebody may want. */
static void
logs_init(void *options)
{
	((struct logs_options *)options)->lines = -1;
}

#define OPTION(letter, ...)                                                    \
	VERB_OPTION(struct logs_options, letter, __VA_ARGS__)

static const struct option_spec logs_options[] = {
    OPTION('f', "follow", NULL, FLAG, follow, 0, 0,
	   "go on until the task has ended, and exit as its command"),
    OPTION('n', "lines", "N", INT, lines, 0, 1000000000,
	   "only the last N lines"),
    OPTION(0, "attempt", "N", INT, attempt, 1, 1000001,
	   "this attempt; the last one by default"),
    OPTION(0, "all", NULL, FLAG, all, 0, 0, "all attempts"),
    OPTION(0, "stdout", NULL, FLAG, only_stdout, 0, 0, "only standard output"),
    OPTION(0, "stderr", NULL, FLAG, only_stderr, 0, 0, "only standard error"),
    OPTION(0, "time", NULL, FLAG, time, 0, 0, "the time before each line"),
};

/* Following begins with the first attempt and shows all of it: what is printed
 * meanwhile could not be counted from the end. */
static int
logs_check(const struct logs_options *o, struct err *err)
{
	if (o->all && o->attempt > 0)
		return err_set(err, ERR_USAGE,
			       "cannot use --all with --attempt");
	if (o->only_stdout && o->only_stderr)
		return err_set(err, ERR_USAGE,
			       "cannot use --stdout with --stderr");
	if (o->follow && (o->lines >= 0 || o->attempt > 0))
		return err_set(err, ERR_USAGE,
			       "cannot use --follow with --lines or --attempt");
	return 0;
}

/* --- what the record has ----------------------------------------------------- */

/* Of its standard output, a result is all that is known; else the two streams are one. */
static void
show_result(struct show_output *s, const json_t *record, struct show_text *t,
	    int64_t n)
{
	const json_t *result = json_object_get(record, "result");
	char *text = NULL;

	if (json_object_get(record, "exit_code") == NULL || result == NULL ||
	    json_is_null(result))
		return;
	if (!json_is_string(result))
		text = json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
	t->stream = CAPTURE_STDOUT;
	t->text = text != NULL ? slice_of(text)
			       : (struct slice){json_string_value(result),
						json_string_length(result)};
	show_text(s, t, n);
	free(text);
}

static void
show_attempt_of(struct show_output *s, const json_t *attempt, int64_t number,
		const struct logs_options *o)
{
	const json_t *output = json_object_get(attempt, "output");
	const json_t *result = json_object_get(attempt, "result");
	const bool is_apart = result != NULL && !json_is_null(result);
	struct show_text t = {
	    .stream =
		is_apart || s->only_stderr ? CAPTURE_STDERR : CAPTURE_STDOUT,
	    .attempt = (unsigned int)number,
	    .wall_us = member_time_us(attempt, "finished_at")};

	if (o->attempt > 0 && number != o->attempt)
		return;
	t.text = (struct slice){json_string_value(output),
				json_string_length(output)};
	if (t.text.len > 0)
		show_text(s, &t, o->lines);
	show_result(s, attempt, &t, o->lines);
}

/* Earlier attempts are there if a later one has succeeded. */
static void
show_stored(struct show_output *s, const struct logs_options *o,
	    const struct flowrra_record *record)
{
	json_t *all = json_loads(record->json, JSON_ALLOW_NUL, NULL), *one;
	size_t i;

	if (o->all || o->attempt > 0)
		json_array_foreach (json_object_get(all, "history"), i, one)
			show_attempt_of(
			    s, one,
			    json_integer_value(json_object_get(one, "attempt")),
			    o);
	show_attempt_of(
	    s, all, json_integer_value(json_object_get(all, "attempts")), o);
	json_decref(all);
}

/* That nothing is there is an error if there is no such task, or if its worker
 * keeps nothing of its kind, which a command shows by how it ended; else it has
 * printed nothing. */
static int
explain_nothing(struct ctl *ctl, bool is_command)
{
	const struct conf_exec *exec = &ctl->conf->exec;

	if (exec->output_max > 0 || exec->output_store > 0 ||
	    (!is_command && ctl->conf->worker.keep_output > 0))
		return 0;
	complain(
	    ctl,
	    is_command
		? "nothing is kept of what commands print ([exec] "
		  "output_max, output_store)"
		: "nothing is kept of what tasks print ([exec] output_max, "
		  "output_store, for commands; [worker] keep_output, for "
		  "tasks in modules)");
	return err_exit_status(ERR_NOT_FOUND);
}

/* There are no files here: they may be on the machine of the worker. */
static int
show_without_files(struct show_output *s, const struct logs_options *o)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	unsigned int before = s->shown;
	bool is_command;

	if (flowrra_result(s->ctl->client, s->id, &record, &error) != 0)
		return complain_of(s->ctl, &error);
	show_stored(s, o, record);
	is_command = record->exit_code >= 0 || record->signal > 0;
	flowrra_record_free(record);
	return s->shown != before || s->ctl->globals.json
		   ? 0
		   : explain_nothing(s->ctl, is_command);
}

/* --- files --------------------------------------------------------------------- */

/* The last attempt alone, unless others are asked for: it says what became of the
 * command. */
static int
show_kept(struct show_output *s, const struct logs_options *o)
{
	struct err err = ERR_INIT;
	unsigned int *list;
	size_t n, i;
	int r = 0;

	/* As another user, it could be steered by that user's processes. */
	if (!s->ctl->globals.json && !s->ctl->is_other_user)
		pager_open();
	list = capture_attempts(s->directory, s->id, &n, &err);
	s->headed = o->all && n > 1;
	if (o->attempt > 0) {
		r = show_attempt(s, (unsigned int)o->attempt, o->lines, &err);
	} else {
		for (i = o->all || n == 0 ? 0 : n - 1; i < n && r == 0; i++)
			r = show_attempt(s, list[i], o->lines, &err);
	}
	free(list);
	if (r != 0 || err.code != ERR_NONE)
		return complain_of_err(s->ctl, &err);
	return n == 0 ? show_without_files(s, o) : 0;
}

/* The exit status of the command, as of run --wait. */
static int
show_until_end(struct show_output *s, const struct logs_options *o)
{
	struct flowrra_record *record = NULL;
	int status;

	s->headed = o->all;
	status = show_following(s, 1, NULL, &record);
	if (record != NULL) {
		status = command_status(record);
		if (!s->found)
			show_stored(s, o, record);
	}
	flowrra_record_free(record);
	return status;
}

/* Without an ID, and with a number, it is a command of `run`, which has put it into
 * the user's own store. */
static bool
is_of_run(int argc, char **argv)
{
	return argc == 0 || argv[0][strspn(argv[0], "0123456789")] == '\0';
}

/* Files are looked for where a worker with this configuration keeps them: on another
 * machine there are none. */
static int
run_logs(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct logs_options *o = options;
	struct err err = ERR_INIT;
	char id[FLOWRRA_ID_SIZE];
	struct show_output s = {.ctl = ctl,
				.only_stdout = o->only_stdout,
				.only_stderr = o->only_stderr,
				.time = o->time};
	char *directory;
	int status;

	if (logs_check(o, &err) != 0)
		return complain_of_err(ctl, &err);
	if (is_of_run(argc, argv)) {
		ctl->globals.user = true;
		ctl_take_user(ctl);
	}
	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (ctl->gateway != NULL)
		return logs_through_gateway(ctl, argv[0], o);
	s.id = argc > 0 ? argv[0] : id;
	if (argc == 0 && command_last(ctl->client, id, &err) != 0)
		return complain_of_err(ctl, &err);
	if ((s.directory = directory = capture_directory(ctl->conf)) == NULL) {
		err_nomem(&err);
		return complain_of_err(ctl, &err);
	}
	status = o->follow ? show_until_end(&s, o) : show_kept(&s, o);
	free(directory);
	return status;
}

const struct verb verb_logs = {
    .name = "logs",
    .summary = "Print what a command has printed",
    .usage = "[ID] [-f] [-n N]",
    .options = logs_options,
    .n_options = sizeof(logs_options) / sizeof(logs_options[0]),
    .options_size = sizeof(struct logs_options),
    .init = logs_init,
    .max_args = 1,
    .words = WORD_RESULT_ID,
    .gateway = true,
    .run = run_logs,
};
