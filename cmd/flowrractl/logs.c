/* SPDX-License-Identifier: MIT */
/* The verb logs: what a command, or a task in a module, has printed, or prints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/capture_read.h"
#include "flowrra/client.h"
#include "logs.h"
#include "manager/command.h"
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

/* That nothing is there is an error if there is no such task, or if its worker
 * keeps nothing; else it has printed nothing. */
static int
explain_nothing(struct ctl *ctl, const char *id)
{
	struct flowrra_record *record;
	struct flowrra_error error;

	if (flowrra_result(ctl->client, id, &record, &error) != 0)
		return complain_of(ctl, &error);
	flowrra_record_free(record);
	if (ctl->conf->exec.output_max > 0 || ctl->conf->worker.keep_output > 0)
		return 0;
	complain(ctl, "nothing is kept of what tasks print ([exec] output_max, "
		      "for commands; [worker] keep_output, for tasks in "
		      "modules)");
	return err_exit_status(ERR_NOT_FOUND);
}

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
	return s->shown == 0 && !s->ctl->globals.json
		   ? explain_nothing(s->ctl, s->id)
		   : 0;
}

/* The exit status of the command, as of run --wait. */
static int
show_until_end(struct show_output *s, const struct logs_options *o)
{
	struct flowrra_record *record = NULL;
	int status;

	s->headed = o->all;
	status = show_following(s, 1, NULL, &record);
	if (record != NULL)
		status = command_status(record);
	flowrra_record_free(record);
	return status;
}

/* Files are looked for where a worker with this configuration keeps them: on another
 * machine there are none. */
/* Without an ID, and with a number, it is a command of `run`, which has put it into
 * the user's own store. */
static bool
is_of_run(int argc, char **argv)
{
	return argc == 0 || argv[0][strspn(argv[0], "0123456789")] == '\0';
}

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
