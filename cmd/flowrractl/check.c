/* SPDX-License-Identifier: MIT */
/*
 * check: what is wrong with the configuration. Each daemon that is installed here is
 * asked with --check, so that this verb, a unit's reload and a start cannot differ.
 * What several find, as in sections that they share, is told once.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "manager/member.h"
#include "util/err.h"
#include "util/findings.h"
#include "util/proc.h"
#include "verb.h"

/* The worker's is needed; a machine may lack the others. */
static const char *const daemons[] = {"flowrrad", "flowrra-beat",
				      "flowrra-web"};
#define N_DAEMONS (sizeof(daemons) / sizeof(daemons[0]))

struct checking {
	struct ctl *ctl;
	json_t *seen;	     /* an object with a member for each text */
	struct findings all; /* with --json, which prints one array */
	int status;
};

/* --- asking ------------------------------------------------------------------- */

/* What is handed on: program, style, -c FILE, and -o with each setting. */
static const char **
check_arguments(const struct ctl *ctl, const char *program)
{
	const struct globals *g = &ctl->globals;
	const char *const *settings = g->settings.items;
	const char **argv;
	size_t n = 0;

	while (settings[n] != NULL)
		n++;
	if ((argv = calloc(2 * n + 5, sizeof(*argv))) == NULL)
		return NULL;
	n = 0;
	argv[n++] = program;
	argv[n++] = "--check=json";
	if (g->config_file != NULL) {
		argv[n++] = "-c";
		argv[n++] = g->config_file;
	}
	for (; *settings != NULL; settings++) {
		argv[n++] = "-o";
		argv[n++] = *settings;
	}
	return argv;
}

/* Runs it, with its standard output in a pipe. -1 with *err. */
static pid_t
check_start(const char *path, const char **argv, FILE **ret, struct err *err)
{
	posix_spawn_file_actions_t actions;
	int fds[2], code;
	pid_t pid = -1;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a pipe");
	if ((code = posix_spawn_file_actions_init(&actions)) == 0) {
		posix_spawn_file_actions_adddup2(&actions, fds[1],
						 STDOUT_FILENO);
		code = posix_spawn(&pid, path, &actions, NULL,
				   (char *const *)argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(fds[1]);
	if (code != 0 || (*ret = fdopen(fds[0], "r")) == NULL) {
		errno = code != 0 ? code : errno;
		close(fds[0]);
		return err_sys(err, ERR_SYSTEM, "cannot run %s", path);
	}
	return pid;
}

/* Its findings; NULL with *err, if it ended otherwise than by telling them. */
static json_t *
check_ask(const struct ctl *ctl, const char *path, struct err *err)
{
	const char **argv = check_arguments(ctl, path);
	json_t *findings;
	FILE *file = NULL;
	int status = 0;
	pid_t pid;

	if (argv == NULL) {
		err_nomem(err);
		return NULL;
	}
	pid = check_start(path, argv, &file, err);
	free(argv);
	if (pid < 0)
		return NULL;
	findings = json_loadf(file, 0, NULL);
	fclose(file);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (json_is_array(findings))
		return findings;
	json_decref(findings);
	err_set(err, ERR_INTERNAL, "%s --check did not print its findings",
		path);
	return NULL;
}

/* --- telling ------------------------------------------------------------------ */

/* A text that another daemon has told is not told again. */
static void
check_take(struct checking *c, const json_t *findings, struct findings *ret)
{
	const char *text, *severity;
	json_t *one;
	size_t i;

	json_array_foreach (findings, i, one) {
		text = member_text(one, "message");
		severity = member_text(one, "severity");
		if (text == NULL || severity == NULL ||
		    json_object_get(c->seen, text) != NULL)
			continue;
		json_object_set_new(c->seen, text, json_true());
		findings_add_text(ret, strcmp(severity, "warning") == 0, text);
	}
}

static void
check_tell(struct checking *c, const char *name, const json_t *findings)
{
	const struct globals *g = &c->ctl->globals;
	struct findings found = {.list = NULL};
	bool good;
	json_t *one;
	size_t i;

	/* Of those that were told before, too. */
	good = true;
	json_array_foreach (findings, i, one)
		good = good &&
		       json_is_string(json_object_get(one, "severity")) &&
		       strcmp(member_text(one, "severity"), "warning") == 0;
	if (!good)
		c->status = err_exit_status(ERR_CONFIG);
	if (g->json) {
		check_take(c, findings, &c->all);
		return;
	}
	check_take(c, findings, &found);
	findings_show(&found, name, g->quiet ? FINDINGS_QUIET : FINDINGS_TEXT);
	if (good && !g->quiet)
		printf("%s: the configuration is good\n", name);
	findings_done(&found);
}

/* --- all ---------------------------------------------------------------------- */

static void
check_daemon(struct checking *c, size_t i)
{
	struct err err = ERR_INIT;
	char *path = proc_beside(daemons[i], &err);
	json_t *findings;

	/* It may not be installed. */
	if (path != NULL && i > 0 && access(path, X_OK) != 0) {
		free(path);
		return;
	}
	findings = path != NULL ? check_ask(c->ctl, path, &err) : NULL;
	if (findings != NULL)
		check_tell(c, daemons[i], findings);
	else
		c->status = complain_of_err(c->ctl, &err);
	json_decref(findings);
	free(path);
}

static int
run_check(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct checking c = {.ctl = ctl, .seen = json_object()};
	size_t i;

	for (i = 0; i < N_DAEMONS; i++)
		check_daemon(&c, i);
	if (ctl->globals.json)
		findings_show(&c.all, "flowrractl", FINDINGS_JSON);
	if (c.all.failed)
		c.status = err_exit_status(ERR_SYSTEM);
	findings_done(&c.all);
	json_decref(c.seen);
	return c.status;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "Check the configuration, and all that it names on this machine",
    .usage = "",
    .run = run_check,
};
