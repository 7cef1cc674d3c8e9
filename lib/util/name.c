/* SPDX-License-Identifier: MIT */
/*
 * Names of tasks and queues.
 *
 * They become parts of Redis keys, of log lines and of arguments in a shell.
 * The characters are those that need no quoting in any of these.
 */
#include "util/name.h"

#include <string.h>

/* The bytes of a name that a message quotes: enough to recognise it, and the
 * message stays one short line. */
#define NAME_SHOWN 64

/* Not isalnum(), which asks the locale. */
static bool
name_byte_valid(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

bool
name_valid(struct slice text, size_t max)
{
	size_t i;

	if (text.len == 0 || text.len > max)
		return false;
	for (i = 0; i < text.len; i++)
		if (!name_byte_valid((unsigned char)text.p[i]))
			return false;
	return true;
}

/* The caller chooses the code: the same mistake is bad data in a task and a bad
 * configuration in a file. */
static int
name_check(const char *kind, struct slice name, size_t max, enum err_code code,
	   struct err *err)
{
	if (name_valid(name, max))
		return 0;
	return err_set(err, code,
		       "\"%.*s\" is not a valid %s name; allowed: 1 to %zu of "
		       "the characters A-Z a-z 0-9 _ . -",
		       (int)(name.len < NAME_SHOWN ? name.len : NAME_SHOWN),
		       name.len > 0 ? name.p : "", kind, max);
}

int
name_check_task(struct slice name, enum err_code code, struct err *err)
{
	return name_check("task", name, NAME_TASK_MAX, code, err);
}

int
name_check_queue(struct slice name, enum err_code code, struct err *err)
{
	return name_check("queue", name, NAME_QUEUE_MAX, code, err);
}

int
name_check_submitted(const char *name, struct err *err)
{
	if (strcmp(name, NAME_ADHOC) != 0)
		return 0;
	return err_set(err, ERR_REFUSED,
		       "%s can only be submitted by flowrractl run",
		       NAME_ADHOC);
}
