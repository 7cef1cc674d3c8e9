/* SPDX-License-Identifier: MIT */
/*
 * The sections of flowrra.conf that run the commands of a crontab.
 *
 * The command is one word, in quotes in which nothing is replaced, for the shell
 * that cron(8) would start. A second shell around it, which knows nothing of the
 * command, gives it its input.
 */
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "manager/schedule_crontab_private.h"
#include "util/err.h"
#include "util/sha.h"

/* The defaults of cron(8) and crontab(5). */
#define CRON_SHELL "/bin/sh"
#define CRON_PATH "/usr/bin:/bin"

const char *
crontab_variable(const struct crontab *c, const char *name,
		 const char *standard)
{
	const char *value =
	    json_string_value(json_object_get(c->variables, name));

	return value != NULL ? value : standard;
}

/* A word of a command line in flowrra.conf. Quotes keep all as it is, but
 * themselves, and a ';' behind a blank, which begins a comment there. */
static void
add_word(struct buf *out, const char *text)
{
	const char *p;

	buf_adds(out, " '");
	for (p = text; *p != '\0'; p++)
		if (*p == '\'')
			buf_adds(out, "'\\''");
		else if (*p == ';' && (p == text || strchr(" \t", p[-1])))
			buf_adds(out, "'';");
		else
			buf_addc(out, *p);
	buf_addc(out, '\'');
}

/* For %b of printf(1). */
static void
add_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\n')
			buf_adds(out, "\\n");
		else if (*text == '\\')
			buf_adds(out, "\\\\");
		else
			buf_addc(out, *text);
}

/* A task's input is its record, where cron's is empty, or what follows the
 * %. */
static void
add_command(struct crontab *c, const struct job *job, struct buf *out)
{
	struct buf input = BUF_INIT;

	buf_adds(out, "command = /bin/sh -c");
	add_word(out, job->has_input ? "printf %b \"$2\" | \"$0\" -c \"$1\""
				     : "exec \"$0\" -c \"$1\" </dev/null");
	add_word(out, crontab_variable(c, "SHELL", CRON_SHELL));
	add_word(out, job->command.data != NULL ? job->command.data : "");
	if (job->has_input) {
		add_escaped(&input,
			    job->input.data != NULL ? job->input.data : "");
		add_word(out, input.data != NULL ? input.data : "");
	}
	buf_addc(out, '\n');
	buf_done(&input);
}

/* A word of its own, in which nothing is replaced. */
static void
add_variable(struct buf *out, const char *name, const char *value)
{
	struct buf word = BUF_INIT;

	buf_addf(&word, "%s=%s", name, value);
	buf_adds(out, "environment =");
	add_word(out, word.data != NULL ? word.data : "");
	buf_addc(out, '\n');
	buf_done(&word);
}

/* Those that cron reads itself mean nothing to the command. */
static void
add_environment(struct crontab *c, const struct job *job, struct buf *out)
{
	static const char *const own[] = {"MAILTO",
					  "MAILFROM",
					  "CRON_TZ",
					  "RANDOM_DELAY",
					  "CONTENT_TYPE",
					  "CONTENT_TRANSFER_ENCODING",
					  NULL};
	const char *home = crontab_variable(c, "HOME", NULL), *name;
	const struct passwd *user;
	json_t *value;
	size_t i;

	if (job->user[0] != '\0') {
		buf_addf(out, "user = %s\n", job->user);
		if (home == NULL && (user = getpwnam(job->user)) != NULL)
			home = user->pw_dir;
	}
	if (home != NULL && home[0] == '/')
		buf_addf(out, "directory = %s\n", home);
	if (crontab_variable(c, "PATH", NULL) == NULL)
		add_variable(out, "PATH", CRON_PATH);
	json_object_foreach (c->variables, name, value) {
		for (i = 0; own[i] != NULL && strcmp(own[i], name) != 0; i++)
			;
		if (own[i] == NULL)
			add_variable(out, name, json_string_value(value));
	}
}

/* Eight digits: of the commands of one crontab no two will have the same. */
void
crontab_hash(const char *text, char ret[CRONTAB_HASH_LEN + 1])
{
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(slice_of(text), digest);
	sha_hex(digest, sizeof(digest), hex);
	memcpy(ret, hex, CRONTAB_HASH_LEN);
	ret[CRONTAB_HASH_LEN] = '\0';
}

/* The section, once for all lines with the same command, user and variables.
 * cron(8) tries nothing twice. */
int
crontab_add_section(struct crontab *c, const struct job *job,
		    char ret_name[TASK_NAME_MAX + 1])
{
	struct buf body = BUF_INIT;
	char hash[CRONTAB_HASH_LEN + 1];

	add_command(c, job, &body);
	add_environment(c, job, &body);
	buf_adds(&body, "max_retries = 0\n");
	if (body.failed) {
		buf_done(&body);
		return err_nomem(c->err);
	}
	crontab_hash(body.data, hash);
	snprintf(ret_name, TASK_NAME_MAX + 1, "cron.%s.%s", c->base, hash);
	if (json_object_get(c->names, ret_name) == NULL) {
		json_object_set_new(c->names, ret_name, json_true());
		buf_addf(c->tasks, "%s# %s:%d\n[task %s]\n",
			 c->tasks->len > 0 ? "\n" : "", c->import->path,
			 job->line, ret_name);
		buf_add(c->tasks, body.data, body.len);
	}
	buf_done(&body);
	return 0;
}
