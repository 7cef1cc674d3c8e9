/* SPDX-License-Identifier: MIT */
/*
 * check: what is wrong with the configuration. flowrrad --check finds it, so that
 * this verb, a unit's reload and the worker's start cannot differ.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"
#include "util/proc.h"
#include "verb.h"

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
	argv[n++] = g->json    ? "--check=json"
		    : g->quiet ? "--check=quiet"
			       : "--check=text";
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

/* Becomes the daemon, which prints all and gives the exit status. */
static int
run_check(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct err err = ERR_INIT;
	char *path = proc_beside("flowrrad", &err);
	const char **arguments =
	    path != NULL ? check_arguments(ctl, path) : NULL;

	if (path != NULL && arguments == NULL)
		err_nomem(&err);
	if (arguments != NULL) {
		proc_reset_signals();
		execv(path, (char *const *)arguments);
		err_sys(&err, ERR_SYSTEM, "cannot run %s", path);
	}
	free(arguments);
	free(path);
	return complain_of_err(ctl, &err);
}

const struct verb verb_check = {
    .name = "check",
    .summary = "Check the configuration, and all that it names on this machine",
    .usage = "",
    .run = run_check,
};
