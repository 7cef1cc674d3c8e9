/* SPDX-License-Identifier: MIT */
/*
 * Whether the commands of tasks are there, and what arguments could do in them.
 *
 * It is asked when a worker starts, reloads, or is checked; a program that goes
 * missing later, as during an upgrade, is a failure of its task, which is
 * retried. The search is that of lib/spawn/start.c.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn/spawn.h"
#include "util/argv_guard.h"
#include "util/argv_template.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/log.h"
#include "util/trust.h"

/* 0, or what is wrong, as in errno. What only the task's user may see is left
 * to that user: it is not known to be wrong. */
static int
check_program(const struct conf_task *t, const char *file)
{
	const bool in_directory = *file != '/' && *t->directory != '\0';
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s%s%s",
		     in_directory ? t->directory : "", in_directory ? "/" : "",
		     file) >= PATH_MAX)
		return ENAMETOOLONG;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return EACCES;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno == EACCES && *t->user != '\0' && geteuid() != 0)
		return 0;
	return errno;
}

/* Leaves what was found in `file`. */
static int
search_program(const struct conf_task *t, const char *path, const char *name,
	       char file[PATH_MAX])
{
	int sys = ENOENT, r;
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, ":");
		if (len > 0 && snprintf(file, PATH_MAX, "%.*s/%s", (int)len,
					path, name) < PATH_MAX) {
			if ((r = check_program(t, file)) == 0)
				return 0;
			if (r != ENOENT && r != ENOTDIR)
				sys = r;
		}
		if (path[len] == '\0')
			return sys;
	}
}

/* NULL if it depends on the task's arguments. */
static const char *
path_of(const struct argv_template *environment)
{
	const char *path = getenv("PATH");
	size_t i;

	for (i = 0; i < argv_template_count(environment); i++)
		if (strncmp(argv_template_prefix(environment, i), "PATH=", 5) ==
		    0)
			return argv_template_is_fixed(environment, i)
				   ? argv_template_prefix(environment, i) + 5
				   : NULL;
	return path != NULL ? path : SPAWN_STANDARD_PATH;
}

static bool
runs_as_root(const struct conf_task *t)
{
	const struct passwd *user;

	if (*t->user == '\0')
		return geteuid() == 0;
	return (user = getpwnam(t->user)) != NULL && user->pw_uid == 0;
}

/* What root runs must be root's to change. */
static int
check_trust(const struct conf_task *t, const char *file, struct err *err)
{
	const bool in_directory = *file != '/' && *t->directory != '\0';
	char path[PATH_MAX];

	if (!runs_as_root(t))
		return 0;
	if (snprintf(path, sizeof(path), "%s%s%s",
		     in_directory ? t->directory : "", in_directory ? "/" : "",
		     file) >= PATH_MAX ||
	    trust_check(path, false, err) == 0)
		return 0; /* too long: it cannot be run either */
	return err_prefix(err, "cannot run %s as root", file);
}

static int
check_command(const struct conf_task *t, const struct argv_template *command,
	      const struct argv_template *environment, struct err *err)
{
	const char *name = argv_template_prefix(command, 0), *path = NULL;
	char found[PATH_MAX];
	struct stat st;
	int r;

	if (*t->directory != '\0' && stat(t->directory, &st) != 0 &&
	    (errno == ENOENT || errno == ENOTDIR))
		return err_sys(err, ERR_CONFIG, "directory %s", t->directory);
	if (strchr(name, '/') == NULL && (path = path_of(environment)) == NULL)
		return 0;
	r = path == NULL ? check_program(t, name)
			 : search_program(t, path, name, found);
	if (r == 0)
		return check_trust(t, path == NULL ? name : found, err);
	errno = r;
	return path == NULL
		   ? err_sys(err, ERR_CONFIG, "cannot run %s", name)
		   : err_sys(err, ERR_CONFIG, "cannot run %s, searched in %s",
			     name, path);
}

int
commands_find(const struct conf_task *t, struct err *err)
{
	struct argv_template *command = NULL, *environment = NULL;
	int status = -1;

	if (conf_task_check(t, err) == 0 &&
	    (command = argv_template_parse(t->command, err)) != NULL &&
	    (environment = argv_template_parse(t->environment, err)) != NULL)
		status = check_command(t, command, environment, err);
	argv_template_free(command);
	argv_template_free(environment);
	if (status != 0)
		err_prefix(err, "[task %s]", t->name);
	return status;
}

/* --- warnings ------------------------------------------------------------- */

static void
warn_word(const struct conf_task *t, const struct argv_template *command,
	  size_t i, commands_tell_fn *tell, void *arg)
{
	const char *program = argv_guard_program(command, i);
	char text[ERR_MSG_MAX];

	switch (argv_guard_risk(command, i)) {
	case ARGV_RISK_CODE:
		snprintf(text, sizeof(text),
			 "command: %s runs what word %zu holds, and with it an "
			 "argument; pass arguments as data, as after a script: "
			 "sh -c 'commands \"$1\"' sh {0}",
			 program, i + 1);
		tell(t, true, text, arg);
		break;
	case ARGV_RISK_OPTION:
		snprintf(text, sizeof(text),
			 "command: word %zu could be an option of %s, so an "
			 "argument there that begins with \"-\" is refused; "
			 "put -- before it",
			 i + 1, program);
		tell(t, false, text, arg);
		break;
	default:
		break;
	}
}

void
commands_warn(const struct conf_task *t, commands_tell_fn *tell, void *arg)
{
	struct argv_template *command = argv_template_parse(t->command, NULL);
	size_t i;

	for (i = 0; command != NULL && i < argv_template_count(command); i++)
		warn_word(t, command, i, tell, arg);
	argv_template_free(command);
}
