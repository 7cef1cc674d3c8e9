/* SPDX-License-Identifier: MIT */
/*
 * The verb run: any command as a task, with no set-up. What the user has here
 * (words, directory, umask, environment) goes with it; the store is the user's
 * own, and a worker is started if none is there.
 */
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/capture.h"
#include "flowrra/client.h"
#include "manager/command.h"
#include "manager/command_after.h"
#include "result.h"
#include "show_output.h"
#include "submit.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/name.h"
#include "util/path.h"
#include "verb.h"

/* Retries are asked for: a command line is not known to bear being run twice. */
static void
run_init(void *options)
{
	static const struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct run_options *o = options;

	o->request = request;
	o->request.queue = NAME_ADHOC_QUEUE;
	o->request.max_retries = 0;
}

/* The options of a task that make sense for a command; the others, as cpu_bound, are
 * the module's. */
#define OPTION(letter, ...) VERB_OPTION(struct run_options, letter, __VA_ARGS__)
#define DURATION_MAX 316224000

static const struct option_spec run_options[] = {
    OPTION(0, "wait", NULL, FLAG, wait, 0, 0,
	   "show what it prints until it has ended, and exit as it does"),
    OPTION(0, "each", NULL, FLAG, each, 0, 0,
	   "run it for each line of standard input, which is {} in its words"),
    OPTION('0', "null", NULL, FLAG, null, 0, 0,
	   "with --each: a NUL ends a line"),
    OPTION(0, "shell", "LINE", TEXT, line, 0, 0,
	   "run sh -c LINE, and not words"),
    OPTION(0, "name", "LABEL", TEXT, label, 0, 0, "a name for people"),
    OPTION('C', "directory", "DIR", TEXT, directory, 0, 0,
	   "the working directory; this one by default"),
    OPTION('e', "env", "NAME[=VALUE]", LIST, variables, 0, 0,
	   "one more variable of the environment"),
    OPTION(0, "stdin", NULL, FLAG, from_stdin, 0, 0,
	   "send standard input along; without this it is empty"),
    OPTION(0, "stdin-file", "FILE", TEXT, input_file, 0, 0,
	   "the file is its standard input, as it is then"),
    OPTION(0, "queue", "QUEUE", TEXT, request.queue, 0, 0,
	   "a queue of your worker; run by default"),
    OPTION(0, "priority", "N", INT, request.priority, INT32_MIN, INT32_MAX,
	   "priority: lower numbers run first; 0 by default"),
    OPTION(0, "delay", "DURATION", SECONDS, request.delay_s, 0, DURATION_MAX,
	   "run it after this delay"),
    OPTION(0, "at", "TIME", DEADLINE, request.at_us, 0, 0,
	   "run it at this time"),
    OPTION(0, "now-if-past", NULL, FLAG, now_if_past, 0, 0,
	   "with --at: run it now if that time is past"),
    OPTION(0, "after", "ID[:HOW],...", LIST, after, 0, 0,
	   "run it after these have ended; HOW: success, failure, complete"),
    OPTION(0, "on-failure", "LINE", TEXT, on_failure, 0, 0,
	   "run sh -c LINE if the command has failed"),
    OPTION(0, "lock", "KEY", TEXT, lock, 0, 0,
	   "of commands with this key, one runs at a time"),
    OPTION(0, "unique", "KEY", TEXT, request.unique, 0, 0,
	   "if a recent command has this key, print its ID and queue nothing"),
    OPTION(0, "unique-ttl", "DURATION", SECONDS, request.unique_ttl_s, 1,
	   DURATION_MAX, "how long the key lasts; 1h by default"),
    OPTION(0, "timeout", "DURATION", SECONDS, request.timeout_s, 0,
	   DURATION_MAX, "time limit of an attempt; 0, the default: none"),
    OPTION(0, "max-retries", "N", INT, request.max_retries, 0, 1000000,
	   "retries after a failure; 0 by default"),
    OPTION(0, "retry-delay", "DURATION", SECONDS, request.retry_delay_s, 0,
	   DURATION_MAX, "delay before a retry"),
};

/* Options that say different things, or that mean nothing without another, are
 * refused rather than one of them ignored: what runs later, unseen, should be what
 * was meant. */
static int
run_check(const struct run_options *o, int argc, struct err *err)
{
	if (o->line != NULL && argc > 0)
		return err_set(err, ERR_USAGE,
			       "cannot use --shell with a COMMAND");
	if (o->line == NULL && argc == 0)
		return err_set(err, ERR_USAGE,
			       "missing command; usage: flowrractl run "
			       "[OPTION...] [--] COMMAND [ARG...]");
	if (o->lock != NULL && o->lock[0] == '\0')
		return err_set(err, ERR_DATA, "the key of --lock is empty");
	if (o->null && !o->each)
		return err_set(err, ERR_USAGE, "--null needs --each");
	if (o->each && (o->from_stdin || o->request.unique != NULL))
		return err_set(err, ERR_USAGE,
			       "cannot use --each with --stdin or --unique");
	if (o->each && o->on_failure != NULL)
		return err_set(err, ERR_USAGE,
			       "cannot use --each with --on-failure");
	if (o->from_stdin && o->input_file != NULL)
		return err_set(err, ERR_USAGE,
			       "cannot use --stdin with --stdin-file");
	if (o->request.delay_s > 0 && o->request.at_us != 0)
		return err_set(err, ERR_USAGE, "cannot use --delay with --at");
	if (submit_check_at(o->request.at_us, o->now_if_past, err) != 0)
		return -1;
	if (o->request.unique_ttl_s != FLOWRRA_UNSET &&
	    o->request.unique == NULL)
		return err_set(err, ERR_USAGE, "--unique-ttl needs --unique");
	return 0;
}

/* --- what is here -------------------------------------------------------- */

/* A path as the worker will find it, with no link in it. */
static int
run_resolve(const char *what, const char *path, char resolved[PATH_MAX],
	    struct err *err)
{
	if (realpath(path, resolved) != NULL)
		return 0;
	return err_sys(err, ERR_DATA, "%s %.200s", what, path);
}

/* One byte more than may be: then it is known to be too much. */
static int
run_read_input(size_t max, struct buf *input, struct err *err)
{
	char chunk[65536];
	ssize_t n = 1;

	while (n > 0 && input->len <= max) {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			buf_add(input, chunk, (size_t)n);
	}
	if (n < 0)
		return err_sys(err, ERR_SYSTEM, "cannot read standard input");
	if (input->failed)
		return err_nomem(err);
	if (input->len > max)
		return err_set(
		    err, ERR_DATA,
		    "standard input has more than %zu bytes ([worker] "
		    "max_task_size); name a file: --stdin-file",
		    max);
	if (input->len > 0 && memchr(input->data, '\0', input->len) != NULL)
		return err_set(err, ERR_DATA,
			       "standard input has NUL bytes; name a file: "
			       "--stdin-file");
	return 0;
}

/* umask(2) tells the old mask only when it sets another. This program makes no file
 * between the two calls. */
static int
run_mask(void)
{
	const mode_t mask = umask(077);

	umask(mask);
	return (int)mask;
}

/* --- the store ------------------------------------------------------------- */

/* In a queue that none of the user's workers serves, the command would wait for ever,
 * and nobody would say so. */
static bool
run_is_served(const char *queues, const char *queue, struct err *err)
{
	char **list = conf_list(queues);
	bool found = false;
	size_t i;

	for (i = 0; list != NULL && list[i] != NULL; i++)
		found = found || strcmp(list[i], queue) == 0;
	conf_list_free(list);
	if (!found)
		err_set(err, ERR_DATA,
			"your worker does not serve the queue %.64s; it serves "
			"%.200s ([worker] queues)",
			queue, queues);
	return found;
}

/* The user's own store, root's too: no other worker would run it. */
static int
run_open(struct ctl *ctl, const struct run_options *o)
{
	struct err err = ERR_INIT;
	const struct conf *conf;

	ctl->globals.user = true;
	ctl_take_user(ctl);
	if ((conf = ctl_conf(ctl, false, &err)) == NULL)
		return complain_of_err(ctl, &err);
	if (strncmp(conf->broker.url, "sqlite://", 9) != 0)
		err_set(&err, ERR_CONFIG,
			"commands are run from an embedded database only; "
			"[broker] url names another store");
	else if (run_is_served(conf->worker.queues, o->request.queue, &err) &&
		 path_make_dir(conf->worker.state_dir, &err) == 0)
		return ctl_open(ctl);
	return complain_of_err(ctl, &err);
}

/* --- the verb ---------------------------------------------------------------- */

/* The task is queued in any case: the next call that starts a worker runs it. */
static int
run_end(struct ctl *ctl, const struct run_options *o, const char *id,
	struct run_following *f)
{
	struct err err = ERR_INIT;

	if (!o->wait) {
		submit_print_id(ctl, id);
		fflush(stdout);
	}
	if (run_ensure_worker(ctl, &err) == 0)
		return o->wait ? run_wait(ctl, id, f) : 0;
	complain(ctl, "queued as %s, but: %s", id, err.msg);
	return run_own_status(o, err_exit_status(err.code));
}

/* One command, with standard input if that goes along. */
static int
run_one(struct ctl *ctl, const struct run_options *o,
	const struct command *given, struct err *err)
{
	struct run_following f = {.ctl = ctl, .fd = -1};
	struct command c = *given;
	char id[FLOWRRA_ID_SIZE];
	struct buf input = BUF_INIT;
	struct slice bytes;
	int r = 0;

	if (o->from_stdin)
		r = run_read_input((size_t)ctl->conf->worker.max_task_size,
				   &input, err);
	bytes = (struct slice){input.data != NULL ? input.data : "", input.len};
	if (o->from_stdin)
		c.input = &bytes;
	if (o->wait) {
		c.before = run_following_begin;
		c.arg = &f;
	}
	if (r == 0)
		r = o->on_failure != NULL
			? command_submit_watched(ctl->client, &c, o->on_failure,
						 &o->request, id, err)
			: command_submit(ctl->client, &c, &o->request, id, err);
	buf_done(&input);
	if (r == 0)
		r = run_end(ctl, o, id, &f);
	run_following_end(&f);
	return r;
}

/* Below 0 with *err, or the exit status. */
static int
run_submit(struct ctl *ctl, const struct run_options *o,
	   const struct command *given, struct err *err)
{
	struct command c = *given;
	struct command_shared shared;
	char *text = NULL;
	int r;

	c.environment = command_environment(o->variables.items, o->variables.n,
					    c.directory, &text, err);
	if (c.environment == NULL)
		return -1;
	r = command_share(ctl->client, c.environment, &shared, err);
	c.shared = &shared;
	if (r == 0)
		r = o->each ? run_each(ctl, o, &c) : run_one(ctl, o, &c, err);
	buf_done(&shared.text);
	free(c.environment);
	free(text);
	return r;
}

static int
run_read_after(const struct run_options *o, struct command_after *after,
	       struct err *err)
{
	size_t i;

	for (i = 0; i < o->after.n; i++)
		if (command_after_add_list(after, o->after.items[i], err) != 0)
			return err_prefix(err, "--after");
	return 0;
}

/* The store is opened only now. */
static int
run_prepared(struct ctl *ctl, const struct run_options *o,
	     const struct command *c)
{
	struct err err = ERR_INIT;
	int status = run_open(ctl, o);

	if (status != 0)
		return run_own_status(o, status);
	tell_moment(ctl, "runs", o->request.at_us);
	status = run_submit(ctl, o, c, &err);
	return status >= 0 ? status
			   : run_own_status(o, complain_of_err(ctl, &err));
}

/* All that can be wrong with the command line is found before the store is opened; a
 * directory that does not exist is told here, where the user looks on, and not by the
 * worker. Links in it are followed now: what is meant is what is here. */
static int
run_run(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct run_options *o = options;
	const char *const line[] = {"/bin/sh", "-c", o->line, NULL};
	struct command c = {.argv = o->line != NULL ? line
						    : (const char *const *)argv,
			    .label = o->label,
			    .lock = o->lock,
			    .mask = run_mask()};
	char directory[PATH_MAX], input[PATH_MAX];
	struct command_after after = {.n = 0};
	struct err err = ERR_INIT;
	int status;

	if (run_check(o, argc, &err) != 0 ||
	    run_read_after(o, &after, &err) != 0 ||
	    run_resolve("directory", o->directory != NULL ? o->directory : ".",
			directory, &err) != 0 ||
	    (o->input_file != NULL &&
	     run_resolve("--stdin-file", o->input_file, input, &err) != 0)) {
		status = run_own_status(o, complain_of_err(ctl, &err));
	} else {
		submit_take_trace(&o->request);
		c.directory = directory;
		c.input_file = o->input_file != NULL ? input : NULL;
		c.after = after.list;
		c.n_after = after.n;
		status = run_prepared(ctl, o, &c);
	}
	command_after_done(&after);
	return status;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "Run a command later, in the background, and print its ID",
    .usage = "[OPTION...] [--] COMMAND [ARG...]",
    .options = run_options,
    .n_options = sizeof(run_options) / sizeof(run_options[0]),
    .options_size = sizeof(struct run_options),
    .init = run_init,
    .max_args = -1,
    .is_prefix = true,
    .run = run_run,
};
