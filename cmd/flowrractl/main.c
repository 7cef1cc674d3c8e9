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

#include "flowrra/client.h"
#include "util/closest.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/proc.h"
#include "util/suspend.h"
#include "verb.h"

/* In the order in which --help lists them: what one does with tasks first, then
 * what operators do, and what explains the rest at the end. Verbs of a group
 * stand together; completion depends on it. */
const struct verb *const verbs[] = {
    &verb_run,
    &verb_logs,
    &verb_submit,
    &verb_result,
    &verb_wait,
    &verb_cancel,
    &verb_events,
    &verb_stats,
    &verb_top,
    &verb_health,
    &verb_doctor,
    &verb_queues,
    &verb_queue_pause,
    &verb_queue_resume,
    &verb_queue_purge,
    &verb_workers,
    &verb_worker_quiet,
    &verb_worker_resume,
    &verb_worker_reload,
    &verb_worker_stop,
    &verb_tasks_pending,
    &verb_tasks_delayed,
    &verb_tasks_retrying,
    &verb_tasks_running,
    &verb_tasks_completed,
    &verb_tasks_failed,
    &verb_tasks_dead,
    &verb_tasks_show,
    &verb_tasks_run,
    &verb_tasks_retry,
    &verb_tasks_delete,
    &verb_tasks_registered,
    &verb_tasks_info,
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
	if (err->code == ERR_DATA) /* says itself what is allowed */
		complain(ctl, "%s", err->msg);
	else
		complain(ctl, "%s; see flowrractl%s%s --help", err->msg,
			 ctl->verb != NULL ? " " : "",
			 ctl->verb != NULL ? ctl->verb->name : "");
	return err_exit_status(ERR_USAGE);
}

/* How many of the words are the name: 0, 1 or 2. */
static int
matches_name(const char *name, int n, char **words)
{
	const char *space = strchr(name, ' ');
	size_t first;

	if (space == NULL)
		return strcmp(name, words[0]) == 0 ? 1 : 0;
	first = (size_t)(space - name);
	return n > 1 && strlen(words[0]) == first &&
		       strncmp(name, words[0], first) == 0 &&
		       strcmp(space + 1, words[1]) == 0
		   ? 2
		   : 0;
}

static int
matches(const struct verb *verb, int n, char **words)
{
	const int used = matches_name(verb->name, n, words);

	return used == 0 && verb->alias != NULL
		   ? matches_name(verb->alias, n, words)
		   : used;
}

const struct verb *
find_verb(int n, char **words, int *ret_used)
{
	size_t i;

	for (i = 0; verbs[i] != NULL; i++)
		if ((*ret_used = matches(verbs[i], n, words)) > 0)
			return verbs[i];
	return NULL;
}

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

	snprintf(typed, sizeof(typed), "%s %s", words[0],
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

/* The longest group, tasks, has some 200 bytes of names. */
void
unknown_verb(int n, char **words, struct err *err)
{
	size_t length = strlen(words[0]), len, i;
	char known[384] = "", close[CLOSEST_TEXT_SIZE];

	for (i = 0; verbs[i] != NULL; i++) {
		len = strlen(known);
		if (strncmp(verbs[i]->name, words[0], length) == 0 &&
		    verbs[i]->name[length] == ' ')
			snprintf(known + len, sizeof(known) - len, "%s%s",
				 len > 0 ? ", " : "", verbs[i]->name);
	}
	if (known[0] == '\0' && verb_write_closest(n, words, close) > 0)
		err_set(err, ERR_USAGE,
			"unknown command \"%.64s\"; did you mean %s?", words[0],
			close);
	else if (known[0] == '\0')
		err_set(err, ERR_USAGE, "unknown command \"%.64s\"", words[0]);
	else if (n < 2)
		err_set(err, ERR_USAGE,
			"incomplete command \"%.64s\"; use one of: %s",
			words[0], known);
	else
		err_set(err, ERR_USAGE,
			"unknown command \"%.64s %.64s\"; known: %s", words[0],
			words[1], known);
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
	conf_dump(conf, stdout);
	conf_free(conf);
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
		n = err_set(&err, ERR_USAGE, "too %s arguments; usage: %s%s%s",
			    n < verb->min_args ? "few" : "many", verb->name,
			    verb->usage[0] != '\0' ? " " : "", verb->usage);
	ctl_take_user(ctl);
	if (n < 0)
		status = usage(ctl, &err);
	else if (ctl->globals.help)
		status = (print_help(verb), 0);
	else if (ctl->globals.version)
		status = verb_version.run(ctl, 0, NULL, NULL);
	else if (ctl->globals.dump_config)
		status = dump_config(ctl);
	else
		status = verb->run(ctl, n, words, options);
	flowrra_close(ctl->client);
	conf_free(ctl->conf);
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

/* Parses up to the first word that is not an option, and finds the verb there.
 * Global options may stand before the verb and behind it. Returns the exit
 * status. */
static int
run(struct ctl *ctl, int argc, char **argv, char **words)
{
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
	if (n == 0) {
		err_set(&err, ERR_USAGE, "missing command");
		return usage(ctl, &err);
	}
	if ((ctl->verb = find_verb(n, words, &used)) == NULL) {
		if (n == 2 &&
		    (strcmp(words[1], "--help") == 0 ||
		     strcmp(words[1], "-h") == 0) &&
		    print_help_group(words[0]))
			return 0;
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
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return status;
	complain(ctl, "cannot write to standard output: %s", strerror(errno));
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
	free(words);
	return status;
}
