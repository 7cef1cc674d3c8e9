/* SPDX-License-Identifier: MIT */
/* flowrractl: the command line of Flowrra. This file finds the verb, has its
 * words and options parsed, runs it, and makes sure that its output was
 * written. Everything else is in the verbs, one file a group, and in the tables
 * of verb.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "flowrra/client.h"
#include "gateway.h"
#include "manager/short_id.h"
#include "own_task.h"
#include "pager.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/proc.h"
#include "util/suspend.h"
#include "verb.h"

/* In the order in which --help lists them: what one does with tasks first, then
 * what operators do, and what explains the rest at the end. Verbs of a group
 * stand together; completion depends on it. */
const struct verb *const verbs[] = {
    &verb_status,
    &verb_run,
    &verb_logs,
    &verb_submit,
    &verb_result,
    &verb_wait,
    &verb_cancel,
    &verb_move,
    &verb_progress,
    &verb_events,
    &verb_stats,
    &verb_top,
    &verb_health,
    &verb_doctor,
    &verb_check,
    &verb_where,
    &verb_metrics,
    &verb_export,
    &verb_import,
    &verb_queues,
    &verb_queue_pause,
    &verb_queue_resume,
    &verb_queue_purge,
    &verb_limit_set,
    &verb_limit_list,
    &verb_limit_show,
    &verb_limit_unset,
    &verb_workers,
    &verb_worker_quiet,
    &verb_worker_resume,
    &verb_worker_reload,
    &verb_worker_stop,
    &verb_tasks,
    &verb_tasks_pending,
    &verb_tasks_delayed,
    &verb_tasks_retrying,
    &verb_tasks_running,
    &verb_tasks_completed,
    &verb_tasks_failed,
    &verb_tasks_dead,
    &verb_tasks_show,
    &verb_tasks_run,
    &verb_tasks_signal,
    &verb_tasks_retry,
    &verb_tasks_delete,
    &verb_tasks_registered,
    &verb_tasks_info,
    &verb_chain,
    &verb_workflow_begin,
    &verb_workflow_submit,
    &verb_workflow_seal,
    &verb_workflow_list,
    &verb_workflow_show,
    &verb_workflow_wait,
    &verb_workflow_cancel,
    &verb_workflow_retry,
    &verb_workflow_repair,
    &verb_schedule_cron,
    &verb_schedule_interval,
    &verb_schedule_once,
    &verb_schedule_list,
    &verb_schedule_show,
    &verb_schedule_history,
    &verb_schedule_edit,
    &verb_schedule_apply,
    &verb_schedule_export,
    &verb_schedule_import,
    &verb_schedule_enable,
    &verb_schedule_disable,
    &verb_schedule_delete,
    &verb_schedule_run,
    &verb_schedule_stats,
    &verb_schedule_next,
    &verb_web_token,
    &verb_web,
    &verb_completion,
    &verb_complete,
    &verb_version,
    &verb_help,
    NULL,
};

/* Complains of how the program was called, and returns 64. The hint names the
 * verb if it is known, since its help is the shorter one. */
static int
usage(struct ctl *ctl, const struct err *err)
{
	const size_t len = strlen(err->msg);

	/* Bad values, and what has a remedy in it, say themselves what to do. */
	if (err->code == ERR_DATA || (len > 0 && err->msg[len - 1] == '?') ||
	    strstr(err->msg, "; usage: ") != NULL)
		complain(ctl, "%s", err->msg);
	else
		complain(ctl, "%s; see flowrractl%s%s --help", err->msg,
			 ctl->verb != NULL ? " " : "",
			 ctl->verb != NULL ? ctl->verb->name : "");
	return err_exit_status(ERR_USAGE);
}

/* Without the client: what is wrong with the configuration must be seen before
 * a broker is looked for. Passwords are masked by conf_dump(). */
static int
dump_config(struct ctl *ctl)
{
	const struct globals *g = &ctl->globals;
	struct err err = ERR_INIT;
	struct conf *conf;

	if (conf_load(g->config_file, g->settings.items, &conf, &err) != 0) {
		complain(ctl, "%s", err.msg);
		return err_exit_status(err.code);
	}
	conf_dump(conf, true, stdout);
	conf_free(conf);
	return 0;
}

/* Where it was asked for, on a terminal that can be cleared. */
static void
print_watch_head(const struct globals *g)
{
	const char *term = getenv("TERM");
	char now[CLOCK_TEXT_SIZE];

	if (g->json || !isatty(STDOUT_FILENO))
		return;
	clock_format(clock_wall_us(), now);
	if (term != NULL && strcmp(term, "dumb") != 0)
		fputs("\033[H\033[2J\033[3J", stdout);
	printf("Every %gs, at %.19sZ; Ctrl-C ends it\n\n", g->watch_s, now);
}

/* Until a signal ends the program, or nobody reads. What fails is complained of, and
 * looked at again: servers come back. */
static int
watch(struct ctl *ctl, int n, char **words, void *options)
{
	const double s = ctl->globals.watch_s;
	const struct timespec pause = {(time_t)s,
				       (long)((s - (double)(time_t)s) * 1e9)};

	if (!ctl->verb->looks) {
		complain(ctl, "--watch is for commands that only look");
		return err_exit_status(ERR_USAGE);
	}
	do {
		print_watch_head(&ctl->globals);
		ctl->verb->run(ctl, n, words, options);
	} while (fflush(stdout) == 0 && nanosleep(&pause, NULL) == 0);
	return 0;
}

/* The nth word of a verb's usage that is not an option or optional, without what
 * stands behind it: "ID" of "ID...". */
static void
name_operand(const struct verb *verb, int n, char name[32])
{
	const char *p = verb->usage;
	size_t len;

	for (;; p += len + strspn(p + len, " ")) {
		len = strcspn(p, " ");
		if (len == 0 || (*p != '[' && *p != '-' && n-- == 0))
			break;
	}
	snprintf(name, 32, "%.*s", (int)len, len > 0 ? p : "argument");
	name[strcspn(name, ".")] = '\0';
}

static int
wrong_number(const struct verb *verb, int n, char **words, struct err *err)
{
	const char *space = verb->usage[0] != '\0' ? " " : "";
	char name[32];

	if (n >= verb->min_args)
		return err_set(err, ERR_USAGE,
			       "unexpected argument \"%.64s\"; usage: "
			       "flowrractl %s%s%s",
			       words[verb->max_args], verb->name, space,
			       verb->usage);
	name_operand(verb, n, name);
	return err_set(err, ERR_USAGE, "missing %s; usage: flowrractl %s%s%s",
		       name, verb->name, space, verb->usage);
}

/* Words that are the beginnings of IDs become whole; those that nobody knows stay,
 * for the verb to complain of. 0, or the exit status. */
static int
complete_ids(struct ctl *ctl, int n, char **words)
{
	const enum word_kind kind = ctl->verb->words;
	struct err err = ERR_INIT;
	int status, found, i;
	char *id;

	if (kind != WORD_TASK_ID && kind != WORD_RESULT_ID &&
	    kind != WORD_DEAD_ID)
		return 0;
	for (i = 0; i < n; i++) {
		if (!short_id_is_one(words[i]))
			continue;
		if ((status = ctl_open(ctl)) != 0)
			return status;
		/* The gateway has no lists of all. */
		if (ctl->client == NULL)
			return 0;
		if (ctl->ids == NULL)
			ctl->ids = calloc((size_t)n, TASK_ID_MAX + 1);
		if (ctl->ids == NULL)
			return 0;
		id = ctl->ids + (size_t)i * (TASK_ID_MAX + 1);
		if ((found = short_id_find(ctl->client, words[i], id, &err)) <
		    0)
			return complain_of_err(ctl, &err);
		if (found > 0)
			words[i] = id;
	}
	return 0;
}

/*
 * Runs ctl->verb; argv[0] is its last word. The verb's options lie in a struct
 * that only its own file knows: here it is options_size bytes, zeroed, then
 * filled by init and by the table. Returns the exit status.
 *
 * Too many arguments are complained of, but not beside --help: a user who asks
 * for help need not be right.
 */
static int
run_verb(struct ctl *ctl, int argc, char **argv)
{
	const struct verb *verb = ctl->verb;
	/* One byte more: calloc(1, 0) may return NULL. */
	void *options = calloc(1, verb->options_size + 1);
	char **words = calloc((size_t)argc + 1, sizeof(*words));
	struct err err = ERR_INIT;
	int status, n;

	if (options == NULL || words == NULL) {
		complain(ctl, "out of memory");
		free(options);
		free(words);
		return err_exit_status(ERR_SYSTEM);
	}
	if (verb->init != NULL)
		verb->init(options);
	n = options_parse(verb, argc, argv, &ctl->globals, options, words,
			  &err);
	if (n >= 0 && !ctl->globals.help &&
	    (n < verb->min_args || (verb->max_args >= 0 && n > verb->max_args)))
		n = wrong_number(verb, n, words, &err);
	ctl_take_user(ctl);
	if (n < 0)
		status = usage(ctl, &err);
	else if (ctl->globals.help)
		status = (print_help(verb), 0);
	else if (ctl->globals.version)
		status = verb_version.run(ctl, 0, NULL, NULL);
	else if (ctl->globals.dump_config)
		status = dump_config(ctl);
	else if ((status = complete_ids(ctl, n, words)) != 0)
		;
	else if (ctl->globals.watch_s > 0)
		status = watch(ctl, n, words, options);
	else
		status = verb->run(ctl, n, words, options);
	flowrra_close(ctl->client);
	gateway_free(ctl->gateway);
	own_task_close(ctl->own);
	conf_free(ctl->conf);
	free(ctl->ids);
	free(words);
	free(options);
	return status;
}

/* A variable FLOWRRA_… that no key has: most likely misspelt, and then the
 * value would silently be the default. */
static void
warn_strange(const char *variable, const char *closest, void *arg)
{
	complain(arg, "ignoring the unknown variable %s; did you mean %s?",
		 variable, closest);
}

static bool
is_help_option(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Parses up to the first word that is not an option, and finds the verb there.
 * Global options may stand before the verb and behind it. Returns the exit
 * status. */
static int
run(struct ctl *ctl, int argc, char **argv, char **words)
{
	static char status_word[] = "status";
	struct err err = ERR_INIT;
	int used = 0, n;

	if ((n = options_parse(NULL, argc, argv, &ctl->globals, NULL, words,
			       &err)) < 0)
		return usage(ctl, &err);
	ctl_take_user(ctl);
	if (n == 0 && ctl->globals.version)
		return verb_version.run(ctl, 0, NULL, NULL);
	if (n == 0 && ctl->globals.dump_config)
		return dump_config(ctl);
	if (n == 0 && ctl->globals.help)
		return print_help(NULL), 0;
	/* A person who types the name alone wants to know how it stands. */
	if (n == 0)
		words[n++] = status_word;
	ctl->verb = find_verb(n, words, &used);
	if (n == 2 && is_help_option(words[1]) &&
	    (ctl->verb == NULL || strcmp(ctl->verb->name, words[0]) != 0) &&
	    print_help_group(words[0]))
		return 0;
	if (ctl->verb == NULL) {
		unknown_verb(n, words, &err);
		return usage(ctl, &err);
	}
	/* A shell that completes a word would show any other text. */
	if (ctl->verb != &verb_complete)
		conf_tell_strange(warn_strange, ctl);
	/* The verb's last word stands where the program's name would. */
	return run_verb(ctl, n - used + 1, words + used - 1);
}

/* Standard output is buffered, so that a full disk is noticed only here: an
 * answer that was not written counts as not given, and must not exit with 0. A
 * reader that has seen enough (EPIPE) is not an error. */
static int
flush(struct ctl *ctl, int status)
{
	const int failed = fflush(stdout);

	if (failed == 0 && !ferror(stdout))
		return status;
	if (failed != 0 && errno == EPIPE)
		return status;
	/* Why an earlier one failed is not known any more. */
	if (failed != 0)
		complain(ctl, "cannot write to standard output: %s",
			 strerror(errno));
	else
		complain(ctl, "cannot write to standard output");
	return err_exit_status(ERR_SYSTEM);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = {.verb = NULL};
	struct err err;
	char **words;
	int status;

	/* A URL may have a password, and root's may be read by the owner of a
	 * database otherwise: see owner.c. */
	proc_forbid_dumps();
	if (conf_hide_environment(&err) != 0) {
		complain(&ctl, "%s", err.msg);
		return err_exit_status(err.code);
	}
	/* `flowrractl … | head` ends quietly, also under a parent that has
	 * taught its children to ignore this. */
	signal(SIGPIPE, SIG_DFL);
	/* A parent may have closed 0, 1 or 2: the next socket would get that
	 * number, and complaints would go to the broker. */
	proc_hold_standard_fds();
	/* Ctrl-Z must not keep the embedded database from all others. */
	suspend_defer();
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (words == NULL) {
		complain(&ctl, "out of memory");
		return err_exit_status(ERR_SYSTEM);
	}
	status = flush(&ctl, run(&ctl, argc, argv, words));
	pager_close();
	free(words);
	return status;
}
