/* SPDX-License-Identifier: MIT */
/*
 * Crontabs, as cron(8) reads them: variables for the lines below, five fields
 * or a nickname, in a system's crontab the user, and a command for the shell, in
 * which a % ends the command and begins its input.
 *
 * A line becomes a task that runs the command, as a section of flowrra.conf,
 * and a schedule of it. Names are made of what the line says: the same line
 * makes the same ones, wherever it stands.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "manager/schedule_crontab_private.h"
#include "util/err.h"

#define N_FIELDS 5
/* The longest value of a key in flowrra.conf is 65536 bytes; quoting at most
 * quadruples a command. */
#define COMMAND_MAX 16000
#define DESCRIPTION_MAX 200

/* --- variables ------------------------------------------------------------- */

/* Without blanks around it, and one pair of quotes. */
static json_t *
unquoted(const char *p, size_t len)
{
	while (len > 0 && strchr(" \t", p[len - 1]) != NULL)
		len--;
	if (len >= 2 && (p[0] == '"' || p[0] == '\'') && p[len - 1] == p[0])
		return json_stringn(p + 1, len - 2);
	return json_stringn(p, len);
}

/* True if the line is one: a name, and '=' behind it. */
static bool
take_variable(struct crontab *c, const char *p, int line)
{
	size_t len = strcspn(p, " \t=");
	json_t *name, *value;
	const char *after;

	if (p[0] == '"' || p[0] == '\'') {
		after = strchr(p + 1, p[0]);
		len = after != NULL ? (size_t)(after - p) + 1 : 0;
	}
	after = p + len + strspn(p + len, " \t");
	if (len == 0 || *after != '=')
		return false;
	after += 1 + strspn(after + 1, " \t");
	name = unquoted(p, len);
	value = unquoted(after, strlen(after));
	if (name == NULL || value == NULL) {
		schedule_import_refuse(c->import, line,
				       "this variable is not UTF-8");
	} else {
		json_object_set(c->variables, json_string_value(name), value);
		if (strcmp(json_string_value(name), "MAILTO") == 0 &&
		    json_string_length(value) > 0 && !c->told_mail) {
			c->told_mail = true;
			c->import->note(
			    c->import->arg, line,
			    "MAILTO is not taken: what a command prints is "
			    "kept with its task (flowrractl result)");
		}
	}
	json_decref(name);
	json_decref(value);
	return true;
}

/* --- fields ---------------------------------------------------------------- */

/* What an expression of ours may have beyond cron's would be another rule, or
 * one that cron(8) refuses. NULL if it is cron's. */
static const char *
check_field(const char *p, size_t len, size_t number)
{
	size_t i, word;

	for (i = 0; i<len; i += word> 0 ? word : 1) {
		for (word = 0;
		     i + word < len && isalpha((unsigned char)p[i + word]);
		     word++)
			;
		if (word > 0 && (number < 3 || word != 3))
			return "cron(8) has no such name here";
		if (word == 0 && strchr("0123456789*,/-", p[i]) == NULL)
			return p[i] == '~' ? "a random value is drawn by "
					     "cronie with each start; use "
					     "--jitter, or a fixed one"
					   : "cron(8) has no such sign";
	}
	for (i = 0; i < len; i += strcspn(p + i, ",") + 1) {
		word = strspn(p + i, "0123456789");
		if (word > 0 && i + word < len && p[i + word] == '/')
			return "a step behind a single value is read "
			       "differently by each cron; write a range, such "
			       "as 5-59/10";
	}
	return NULL;
}

/* Ours has others, such as @every, that cron(8) does not run. */
static const char *
check_nickname(const char *word)
{
	static const char *const known[] = {"@yearly", "@annually", "@monthly",
					    "@weekly", "@daily",    "@midnight",
					    "@hourly"};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(word, known[i]) == 0)
			return NULL;
	return strcasecmp(word, "@reboot") == 0
		   ? "a schedule has no start of the machine; use a unit of "
		     "systemd"
		   : "cron(8) has no such nickname";
}

/* Fields, or a nickname, into the rule. NULL after a complaint; else behind
 * them. */
static const char *
take_fields(struct crontab *c, struct job *job, const char *p)
{
	const char *days[N_FIELDS] = {NULL}, *why = NULL;
	size_t len, used = 0, i;
	struct slice what = {.p = p};
	const size_t n = *p == '@' ? 1 : N_FIELDS;

	for (i = 0; i < n && why == NULL; i++) {
		p += strspn(p, " \t");
		len = strcspn(p, " \t");
		what = (struct slice){p, len};
		days[i] = p;
		if (len == 0 || used + len + 2 > sizeof(job->rule))
			why = "there are fewer than five fields";
		else if (n == N_FIELDS)
			why = check_field(p, len, i);
		if (why == NULL)
			used += (size_t)snprintf(
			    job->rule + used, sizeof(job->rule) - used,
			    "%s%.*s", i > 0 ? " " : "", (int)len, p);
		p += len;
	}
	if (why == NULL && n == 1)
		why = check_nickname(job->rule);
	if (why != NULL) {
		schedule_import_refuse(c->import, job->line, "\"%.*s\": %s",
				       (int)(what.len > 64 ? 64 : what.len),
				       what.p, why);
		return NULL;
	}
	/* To cron(8) a day field that begins with a star is not restricted,
	 * though it may be, as in star/2: then both have to match. */
	job->both_days = n == N_FIELDS && (*days[2] == '*' || *days[4] == '*');
	return p + strspn(p, " \t");
}

/* --- the command ----------------------------------------------------------- */

/* A % that no backslash precedes ends the command; the others are line ends of
 * its input, which ends with one. Of a pair of backslashes none is before what
 * follows. */
static void
take_command(struct job *job, const char *p)
{
	for (; *p != '\0' && *p != '%'; p++) {
		if (p[0] == '\\' && p[1] == '%')
			p++;
		else if (p[0] == '\\' && p[1] != '\0')
			buf_addc(&job->command, *p++);
		buf_addc(&job->command, *p);
	}
	job->has_input = *p == '%';
	for (p += job->has_input; *p != '\0'; p++)
		if (p[0] == '\\' && p[1] == '%')
			buf_addc(&job->input, *++p);
		else
			buf_addc(&job->input, *p == '%' ? '\n' : *p);
	if (job->input.len > 0 && job->input.data[job->input.len - 1] != '\n')
		buf_addc(&job->input, '\n');
}

/* --- jobs ------------------------------------------------------------------ */

/* cron(8) passes over what was missed while it was down. */
static json_t *
job_schedule(struct crontab *c, const struct job *job, const char *task)
{
	const char *delay = crontab_variable(c, "RANDOM_DELAY", NULL);
	const char *zone = crontab_variable(c, "CRON_TZ", c->zone);
	const long minutes = delay != NULL ? strtol(delay, NULL, 10) : 0;
	char all[1024], hash[CRONTAB_HASH_LEN + 1];
	size_t len;
	struct slice shown;
	json_t *object;

	snprintf(all, sizeof(all), "%s|%s|%s", job->rule, zone,
		 delay != NULL ? delay : "");
	crontab_hash(all, hash);
	snprintf(all, sizeof(all), "%s.%s", task, hash);
	/* The same line twice is two runs to cron(8). */
	while (json_object_get(c->ids, all) != NULL &&
	       (len = strlen(all)) < sizeof(all) - 2)
		memcpy(all + len, "x", sizeof("x"));
	json_object_set_new(c->ids, all, json_true());
	shown = (struct slice){job->command.data, job->command.len};
	if (shown.len > DESCRIPTION_MAX)
		shown.len = DESCRIPTION_MAX;
	while (shown.len > 0 && shown.len < job->command.len &&
	       ((unsigned char)shown.p[shown.len] & 0xc0) == 0x80)
		shown.len--;
	object = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s%,s:s,s:b}", "id", all,
			   "task", task, "type", "cron", "rule", job->rule,
			   "tz", zone, "description", shown.p, shown.len,
			   "misfire", "skip", "force", 1);
	if (job->both_days)
		json_object_set_new(object, "day_match", json_string("and"));
	if (minutes > 0 && minutes < 1440)
		json_object_set_new(object, "jitter",
				    json_integer(minutes * 60));
	return object;
}

/* The section comes first, since the schedule has the task's name. */
static int
add_job(struct crontab *c, const struct job *job)
{
	const size_t before = c->tasks->len, n = c->file->n;
	char task[TASK_NAME_MAX + 1];
	json_t *object;
	int result;

	if (crontab_add_section(c, job, task) != 0)
		return -1;
	if ((object = job_schedule(c, job, task)) == NULL)
		return err_set(c->err, ERR_DATA, "%s:%d: not UTF-8",
			       c->import->path, job->line);
	result =
	    schedule_import_add(c->import, c->file, object, job->line, c->err);
	json_decref(object);
	/* A line that was not taken needs no task. */
	if (c->file->n == n && c->tasks->len > before) {
		c->tasks->len = before;
		c->tasks->data[before] = '\0';
		json_object_del(c->names, task);
	}
	return result;
}

/* Where there is no field, the crontab is somebody's as a whole. */
static bool
take_user(struct crontab *c, struct job *job, const char **p)
{
	size_t len = strcspn(*p, " \t");

	if (!c->import->system) {
		snprintf(job->user, sizeof(job->user), "%s",
			 c->import->user != NULL ? c->import->user : "");
		return true;
	}
	if (len == 0 || len >= sizeof(job->user))
		return false;
	snprintf(job->user, sizeof(job->user), "%.*s", (int)len, *p);
	*p += len + strspn(*p + len, " \t");
	return true;
}

/* A line that is neither blank, comment nor variable is a job. Control characters
 * could not be written into a section. */
static int
take_line(struct crontab *c, const char *p, int line)
{
	struct job job = {.line = line};
	const char *q;
	int result = 0;

	p += strspn(p, " \t");
	if (*p == '\0' || *p == '#' || take_variable(c, p, line))
		return 0;
	/* cronie: no line in the system's log. */
	p += *p == '-';
	for (q = p; *q != '\0'; q++)
		if ((unsigned char)*q < ' ' && *q != '\t')
			break;
	if (*q != '\0' || strlen(p) > COMMAND_MAX) {
		schedule_import_refuse(c->import, line, "%s",
				       *q != '\0' ? "control characters"
						  : "the line is too long");
		return 0;
	}
	if ((p = take_fields(c, &job, p)) == NULL)
		return 0;
	if (!take_user(c, &job, &p) || *p == '\0') {
		schedule_import_refuse(c->import, line, "%s is missing",
				       c->import->system
					   ? "the user or the command"
					   : "the command");
		return 0;
	}
	take_command(&job, p);
	result = add_job(c, &job);
	buf_done(&job.command);
	buf_done(&job.input);
	return result;
}

/* The last part of the path, with the signs that names may have. */
static void
take_base(struct crontab *c)
{
	const char *slash = strrchr(c->import->path, '/');
	char *p;

	snprintf(c->base, sizeof(c->base), "%s",
		 slash != NULL ? slash + 1 : c->import->path);
	for (p = c->base; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
			*p = '_';
}

/* Line by line: a line cannot be continued in a crontab. */
int
schedule_read_crontab(struct schedule_import *import, const char *text,
		      struct schedule_file *file, struct buf *tasks,
		      struct err *err)
{
	struct crontab c = {.import = import,
			    .file = file,
			    .tasks = tasks,
			    .err = err,
			    .variables = json_object(),
			    .names = json_object(),
			    .ids = json_object()};
	int line = 1, result = 0;
	size_t len;
	char *copy;

	take_base(&c);
	if (import->tz != NULL)
		snprintf(c.zone, sizeof(c.zone), "%s", import->tz);
	else
		schedule_local_zone(c.zone);
	for (; *text != '\0' && result == 0; line++) {
		len = strcspn(text, "\n");
		copy = strndup(text, len);
		result =
		    copy != NULL ? take_line(&c, copy, line) : err_nomem(err);
		free(copy);
		text += len + (text[len] == '\n');
	}
	json_decref(c.variables);
	json_decref(c.names);
	json_decref(c.ids);
	return result;
}
