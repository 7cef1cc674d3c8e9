/* SPDX-License-Identifier: MIT */
/*
 * The verb schedule import: takes the schedules of cron(8), or of the Python
 * package.
 *
 * A crontab's commands become tasks that no worker has yet: what it needs for
 * them is printed, in the form of its configuration.
 */
#include "manager/schedule_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"
#include "text_file.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

struct import_options {
	const char *crontab, *python, *tz, *user, *tasks, *owner;
	bool system, prune, take, dry_run;
};

/* --- where from ---------------------------------------------------------- */

/* Those that have a field with the user; a crontab of a user lies elsewhere, or
 * comes from crontab -l. */
static bool
is_system(const struct import_options *o)
{
	static const char folder[] = "/etc/cron.d/";

	return o->system || strcmp(o->crontab, "/etc/crontab") == 0 ||
	       strncmp(o->crontab, folder, sizeof(folder) - 1) == 0;
}

/* "crontab:backup": a file of another name is another owner's. */
static void
standard_owner(const struct import_options *o,
	       char owner[SCHEDULE_OWNER_MAX + 1])
{
	const char *name = "python", *slash;
	char *p;

	if (o->crontab != NULL) {
		slash = strrchr(o->crontab, '/');
		name = slash != NULL ? slash + 1 : o->crontab;
	}
	snprintf(owner, SCHEDULE_OWNER_MAX + 1, "%s%s",
		 o->crontab != NULL ? "crontab:" : "", name);
	for (p = owner; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			*p = '_';
}

/* The first line of standard input, for a URL with a password. */
static int
read_url(struct ctl *ctl, const char *given, struct buf *url)
{
	const char *scheme = strstr(given, "://"), *at, *colon;

	if (strcmp(given, "-") == 0) {
		if (text_file_read(ctl, "-", url) != 0)
			return err_exit_status(ERR_DATA);
		url->len = strcspn(url->data, " \r\n");
		url->data[url->len] = '\0';
		return 0;
	}
	at = scheme != NULL ? strchr(scheme, '@') : NULL;
	colon = scheme != NULL ? strchr(scheme + 3, ':') : NULL;
	/* The list of processes shows it to all users. */
	if (at != NULL && colon != NULL && colon < at) {
		complain(ctl, "--from-python: a URL with a password must not "
			      "stand on the command line; give - and write the "
			      "URL to standard input");
		return err_exit_status(ERR_USAGE);
	}
	buf_adds(url, given);
	return 0;
}

/* Of the one or the other; check_options() has seen to it. */
static int
read_source(struct ctl *ctl, const struct import_options *o,
	    struct schedule_import *import, struct schedule_file *file,
	    struct buf *tasks)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int status, result = 0;

	if (o->crontab != NULL)
		status = text_file_read(ctl, o->crontab, &text);
	else
		status = read_url(ctl, o->python, &text);
	if (status == 0 && o->crontab != NULL)
		result =
		    schedule_read_crontab(import, text.data, file, tasks, &err);
	else if (status == 0)
		result = schedule_read_python(import, text.data, file, &err);
	buf_done(&text);
	return result != 0 ? complain_of_err(ctl, &err) : status;
}

/* --- where to ------------------------------------------------------------ */

/* Beside the schedules, the worker needs the sections of the tasks. */
static int
write_tasks(struct ctl *ctl, const char *path, const struct buf *tasks)
{
	FILE *file = path != NULL ? fopen(path, "we") : stdout;
	size_t n = 0;

	if (file != NULL && tasks->len > 0)
		n = fwrite(tasks->data, 1, tasks->len, file);
	if (file == NULL || n < tasks->len ||
	    (path != NULL ? fclose(file) : fflush(file)) != 0) {
		complain(ctl, "cannot write %s: %s",
			 path != NULL ? path : "the sections of tasks",
			 strerror(errno));
		return err_exit_status(ERR_SYSTEM);
	}
	return 0;
}

/* An option that would mean nothing is refused, rather than ignored. */
static int
check_options(struct ctl *ctl, const struct import_options *o)
{
	const char *why = NULL;

	if ((o->crontab != NULL) == (o->python != NULL))
		why = "give one of --from-crontab and --from-python";
	else if (o->python != NULL &&
		 (o->system || o->user != NULL || o->tasks != NULL))
		why = "--system, --user and --tasks are of --from-crontab";
	else if (o->crontab != NULL && is_system(o) && o->user != NULL)
		why = "cannot use --user with a system's crontab, which names "
		      "users";
	else if (o->crontab != NULL && ctl->globals.json && o->tasks == NULL)
		why = "--json needs --tasks FILE: both would go to standard "
		      "output";
	if (why == NULL)
		return 0;
	complain(ctl, "%s", why);
	return err_exit_status(ERR_USAGE);
}

/* The sections first: a schedule without its task would only fail. What cannot
 * be taken makes the exit status, but keeps nothing else from being taken. */
static int
run_import(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct import_options *o = options;
	char owner[SCHEDULE_OWNER_MAX + 1];
	struct schedule_source source = {
	    .ctl = ctl, .name = o->crontab != NULL ? o->crontab : "row"};
	struct schedule_import import = {.tz = o->tz,
					 .path = o->crontab,
					 .user = o->user,
					 .now_us = clock_wall_us(),
					 .refuse = schedule_tell,
					 .note = schedule_tell,
					 .arg = &source};
	struct schedule_apply apply = {.owner = o->owner,
				       .take = o->take,
				       .prune = o->prune,
				       .dry_run = o->dry_run,
				       .force = true,
				       .tell = schedule_tell,
				       .arg = &source};
	struct schedule_file file = {.n = 0};
	struct zone_words words = {.local = ""};
	struct err err = ERR_INIT;
	struct buf tasks = BUF_INIT;
	int status = check_options(ctl, o);

	if (status == 0 && zone_complete(&words, &import.tz, &err) != 0)
		status = complain_of_err(ctl, &err);
	if (status != 0)
		return status;
	import.system = o->crontab != NULL && is_system(o);
	standard_owner(o, owner);
	if (o->owner == NULL)
		apply.owner = owner;
	status = read_source(ctl, o, &import, &file, &tasks);
	if (status == 0 && o->crontab != NULL)
		status = write_tasks(ctl, o->tasks, &tasks);
	source.comment = o->crontab != NULL && o->tasks == NULL;
	/* What could not be taken is there all the same, and may have been taken
	 * before. */
	if (status == 0 && apply.prune && import.refused > 0) {
		complain(ctl, "nothing is removed, since not all of it could "
			      "be taken");
		apply.prune = false;
	}
	if (status == 0)
		status = schedule_apply_file(ctl, &file, &apply);
	if (status == 0 && import.refused > 0)
		status = err_exit_status(ERR_DATA);
	schedule_file_done(&file);
	buf_done(&tasks);
	return status;
}

#define IMPORT_OPTION(...) VERB_OPTION(struct import_options, 0, __VA_ARGS__)

static const struct option_spec import_options[] = {
    IMPORT_OPTION("from-crontab", "FILE", TEXT, crontab, 0, 0,
		  "a crontab; - is standard input"),
    IMPORT_OPTION("from-python", "URL", TEXT, python, 0, 0,
		  "the database of the Python package; - reads the URL from "
		  "standard input"),
    IMPORT_OPTION("system", NULL, FLAG, system, 0, 0,
		  "the crontab has a field with the user, as those in /etc"),
    IMPORT_OPTION("user", "USER", TEXT, user, 0, 0,
		  "whose crontab it is: run the commands as this user"),
    IMPORT_OPTION("tz", "ZONE", TEXT, tz, 0, 0,
		  "the zone of local times; local, the machine's, by default"),
    IMPORT_OPTION("tasks", "FILE", TEXT, tasks, 0, 0,
		  "write the sections [task NAME] here; standard output by "
		  "default"),
    IMPORT_OPTION("owner", "OWNER", TEXT, owner, 0, 0,
		  "the schedules' owner; crontab:NAME or python by default"),
    IMPORT_OPTION("prune", NULL, FLAG, prune, 0, 0,
		  "remove the owner's schedules that are there no more"),
    IMPORT_OPTION("take-over", NULL, FLAG, take, 0, 0,
		  "take schedules from other owners, too"),
    IMPORT_OPTION("dry-run", NULL, FLAG, dry_run, 0, 0,
		  "print what would be done, and store nothing"),
};

const struct verb verb_schedule_import = {
    .name = "schedule import",
    .summary = "Take the schedules of cron, or of the Python package",
    .usage = "--from-crontab FILE | --from-python URL [OPTION...]",
    .options = import_options,
    .n_options = sizeof(import_options) / sizeof(import_options[0]),
    .options_size = sizeof(struct import_options),
    .run = run_import,
};
