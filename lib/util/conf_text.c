/* SPDX-License-Identifier: MIT */
/*
 * The texts of the configuration: what each kind of them may say.
 *
 * They are checked when the configuration is read, and not when they are used,
 * so that `flowrrad --dump-config` finds the mistakes and a reload with one is
 * refused as a whole.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/argv_guard.h"
#include "util/argv_template.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/limit_words.h"
#include "util/name.h"
#include "util/utf8.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
/* As name_valid() has them; names of workers and users add one each. */
#define ID_CHARACTERS LETTERS "0123456789_.-"
#define CODE_MAX (CONF_N_CODES - 1)

/* Refuses what a configuration file could not hold. */
static int
check_characters(const char *text, struct err *err)
{
	const char *p;

	for (p = text; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p))
			return err_set(err, ERR_CONFIG,
				       "contains a control character");
		if (*p == ';' && (p == text || p[-1] == ' '))
			return err_set(err, ERR_CONFIG,
				       "contains a semicolon after a space, "
				       "which would begin a comment");
	}
	return 0;
}

/* What goes to executors goes as JSON. */
static int
check_utf8(const char *text, struct err *err)
{
	const char *end = text + strlen(text);
	size_t len;

	for (; text < end; text += len)
		if ((len = utf8_length(text, (size_t)(end - text))) == 0)
			return err_set(err, ERR_CONFIG, "is not UTF-8");
	return 0;
}

/* --- of the sections for all --------------------------------------------- */

static int
check_queue_list(char *const *queues, struct err *err)
{
	size_t i, j;

	if (queues[0] == NULL)
		return err_set(err, ERR_CONFIG, "must name at least one queue");
	for (i = 0; queues[i] != NULL; i++) {
		if (name_check_queue(slice_of(queues[i]), ERR_CONFIG, err) != 0)
			return -1;
		for (j = 0; j < i; j++)
			if (strcmp(queues[i], queues[j]) == 0)
				return err_set(err, ERR_CONFIG,
					       "names the queue %s twice",
					       queues[i]);
	}
	return 0;
}

static int
check_queues(const char *text, struct err *err)
{
	char **queues = conf_list(text);
	int r;

	if (queues == NULL)
		return err_nomem(err);
	r = check_queue_list(queues, err);
	conf_list_free(queues);
	return r;
}

static int
check_worker(const char *text, struct err *err)
{
	if (text[strspn(text, ID_CHARACTERS ":")] == '\0')
		return 0;
	return err_set(err, ERR_CONFIG,
		       "not a valid worker ID; allowed: up to 128 letters, "
		       "digits and _ . : -");
}

/* --- of tasks ------------------------------------------------------------ */

/* An argument in the text of a shell's script would be a part of the script:
 * anybody who may submit the task could run commands. What other programs do
 * with a text is known less well, and is warned of when a worker starts. */
static int
check_script(const struct argv_template *t, struct err *err)
{
	size_t i;

	for (i = 0; i < argv_template_count(t); i++)
		if (argv_guard_risk(t, i) == ARGV_RISK_SCRIPT)
			break;
	if (i == argv_template_count(t))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "an argument inside a script would run as part of it; "
		       "pass it after the script: sh -c 'echo \"$1\"' sh {0}");
}

/* A program that an argument chooses would let the submitter run any. */
static int
check_command_words(const struct argv_template *t, struct err *err)
{
	if (argv_template_count(t) > 0 && !argv_template_is_fixed(t, 0))
		return err_set(err, ERR_CONFIG,
			       "the first word, the program, must not contain "
			       "an argument");
	if (argv_template_count(t) == 0 ||
	    argv_template_prefix(t, 0)[0] == '\0')
		return err_set(err, ERR_CONFIG, "must name a program");
	return check_script(t, err);
}

/* execve() passes both, and which one a program sees is up to its libc. */
static bool
is_given_before(const struct argv_template *t, size_t i)
{
	const char *word = argv_template_prefix(t, i);
	const size_t len = strcspn(word, "=") + 1;
	size_t n;

	for (n = 0; n < i; n++)
		if (strncmp(argv_template_prefix(t, n), word, len) == 0)
			return true;
	return false;
}

/* Names as POSIX has them for the shell; others could not be read there. */
static int
check_environment_words(const struct argv_template *t, struct err *err)
{
	size_t i, len;

	for (i = 0; i < argv_template_count(t); i++) {
		const char *word = argv_template_prefix(t, i);

		len = strspn(word, LETTERS "0123456789_");
		if (len == 0 || isdigit((unsigned char)*word) ||
		    word[len] != '=')
			return err_set(
			    err, ERR_CONFIG,
			    "word %zu is not NAME=VALUE; spaces separate "
			    "words, NAME=\"VALUE\" quotes them",
			    i + 1);
		if (is_given_before(t, i))
			return err_set(err, ERR_CONFIG, "%.*s is given twice",
				       (int)len, word);
	}
	return 0;
}

static int
check_words(const char *text,
	    int (*check)(const struct argv_template *, struct err *),
	    struct err *err)
{
	struct argv_template *t;
	int r;

	if (check_utf8(text, err) != 0 ||
	    (t = argv_template_parse(text, err)) == NULL)
		return -1;
	r = check(t, err);
	argv_template_free(t);
	return r;
}

static int
check_command(const char *text, struct err *err)
{
	return check_words(text, check_command_words, err);
}

static int
check_environment(const char *text, struct err *err)
{
	return check_words(text, check_environment_words, err);
}

/* Relative paths would depend on where the daemon was started. */
static int
check_directory(const char *text, struct err *err)
{
	if (*text != '\0' && *text != '/')
		return err_set(err, ERR_CONFIG,
			       "the directory must begin with \"/\"");
	return check_utf8(text, err);
}

/* Only the form: whether there is such a user is asked on the host that runs
 * the task. Samba's accounts of machines end in '$'. */
static int
check_user_name(const char *text, struct err *err)
{
	if (text[strspn(text, ID_CHARACTERS "$")] == '\0')
		return 0;
	return err_set(err, ERR_CONFIG, "not a valid user name");
}

static int
check_queue(const char *text, struct err *err)
{
	if (*text == '\0')
		return 0;
	return name_check_queue(slice_of(text), ERR_CONFIG, err);
}

/* "75" or "100-119"; nothing else. Returns whether it is one. */
static bool
read_range(const char *text, unsigned long min, unsigned long *ret_first,
	   unsigned long *ret_last)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	*ret_first = *ret_last = strtoul(text, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return false;
		*ret_last = strtoul(end + 1, &end, 10);
	}
	return *end == '\0' && *ret_first >= min && *ret_first <= *ret_last &&
	       *ret_last <= CODE_MAX;
}

/* Above 255 wait(2) has no room. */
static int
read_codes(const char *text, unsigned long min, bool ret[CONF_N_CODES],
	   struct err *err)
{
	char **list = conf_list(text), **code;
	unsigned long first = 0, last = 0;
	int r = 0;

	if (list == NULL)
		return err_nomem(err);
	memset(ret, 0, CONF_N_CODES * sizeof(*ret));
	for (code = list; *code != NULL && r == 0; code++) {
		if (!read_range(*code, min, &first, &last))
			r = err_set(err, ERR_CONFIG,
				    "\"%.16s\" is not the exit code of a "
				    "%s; allowed: %lu to %d, and 100-119 for a "
				    "range",
				    *code, min > 0 ? "failure" : "command", min,
				    CODE_MAX);
		for (; r == 0 && first <= last; first++)
			ret[first] = true;
	}
	conf_list_free(list);
	return r;
}

/* 0 is success and cannot be final. */
int
conf_task_codes(const char *text, bool ret[CONF_N_CODES], struct err *err)
{
	return read_codes(text, 1, ret, err);
}

int
conf_task_statuses(const char *text, bool ret[CONF_N_CODES], struct err *err)
{
	return read_codes(text, 0, ret, err);
}

static int
check_statuses(const char *text, struct err *err)
{
	bool codes[CONF_N_CODES];

	return conf_task_statuses(text, codes, err);
}

static int
check_output(const char *text, struct err *err)
{
	if (strcmp(text, "auto") == 0 || strcmp(text, "text") == 0 ||
	    strcmp(text, "json") == 0 || strcmp(text, "none") == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "\"%.16s\" is not auto, text, json or none", text);
}

static int
check_codes(const char *text, struct err *err)
{
	bool codes[CONF_N_CODES];

	return conf_task_codes(text, codes, err);
}

static int
check_arguments(const char *text, struct err *err)
{
	if (strcmp(text, "json") == 0 || strcmp(text, "text") == 0)
		return 0;
	return err_set(err, ERR_CONFIG, "\"%.16s\" is not json or text", text);
}

static int
check_rate(const char *text, struct err *err)
{
	int64_t n, period_ms;

	if (*text == '\0')
		return 0;
	if (limit_words_rate(text, &n, &period_ms) && n >= 1 &&
	    n <= LIMIT_RATE_MAX && period_ms >= 1 &&
	    period_ms <= LIMIT_PERIOD_MAX_MS)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "not a rate such as 100/1m; allowed: 1 to %d in up to "
		       "31 days",
		       LIMIT_RATE_MAX);
}

static int
check_path(const char *text, struct err *err)
{
	if (*text == '\0' || limit_words_path(slice_of(text)))
		return 0;
	return err_set(err, ERR_CONFIG,
		       "not kwargs.NAME or args.NUMBER, optionally followed by "
		       ".NAME");
}

/* --- all of them --------------------------------------------------------- */

static int
check_any(const char *text, struct err *err)
{
	return 0;
}

/* The types that are texts come first in enum conf_type, so this table also
 * says which they are (conf_key_is_text()). */
static int (*const checks[])(const char *text, struct err *err) = {
    [CONF_STRING] = check_any,		[CONF_SECRET] = check_any,
    [CONF_QUEUES] = check_queues,	[CONF_WORKER] = check_worker,
    [CONF_COMMAND] = check_command,	[CONF_ENVIRONMENT] = check_environment,
    [CONF_DIRECTORY] = check_directory, [CONF_USER] = check_user_name,
    [CONF_QUEUE] = check_queue,		[CONF_LINE] = check_utf8,
    [CONF_CODES] = check_codes,		[CONF_ARGUMENTS] = check_arguments,
    [CONF_OUTPUT] = check_output,	[CONF_STATUSES] = check_statuses,
    [CONF_RATE] = check_rate,		[CONF_PATH] = check_path,
};

bool
conf_key_is_text(const struct conf_key *key)
{
	return (size_t)key->type < LEN(checks);
}

/* Length before content: messages of the checks quote the text. */
int
conf_key_check_text(const struct conf_key *key, const char *text,
		    struct err *err)
{
	size_t len = strlen(text);

	if (check_characters(text, err) != 0)
		return -1;
	if ((double)len < key->min || (key->max > 0 && (double)len > key->max))
		return err_set(err, ERR_CONFIG,
			       "%zu characters; allowed: %.0f to %.0f", len,
			       key->min, key->max);
	return checks[key->type](text, err);
}
