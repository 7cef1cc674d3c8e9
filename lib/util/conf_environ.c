/* SPDX-License-Identifier: MIT */
/* What of the environment others may see: the programs that this one starts, and
 * those that read /proc/PID/environ. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/conf.h"
#include "util/conf_key.h"
#include "util/err.h"

/* Whether an environment entry is the variable `name`. */
static bool
is_variable(const char *entry, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

/* It may be a URL with a password. Every program that starts looks at all of its
 * environment, so a name is written only where one can match. */
static bool
is_secret(const char *entry)
{
	char name[CONF_VARIABLE_SIZE];
	size_t i;

	if (!conf_variable_may_be_ours(entry))
		return false;
	for (i = 0; i < conf_n_keys; i++) {
		if (conf_keys[i].type != CONF_SECRET)
			continue;
		conf_variable_name(&conf_keys[i], name);
		if (is_variable(entry, name))
			return true;
	}
	return false;
}

static bool
is_private(const char *entry)
{
	static const char *const of_service[] = {
	    "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_PID",
	    "WATCHDOG_USEC"};
	size_t i;

	for (i = 0; i < sizeof(of_service) / sizeof(of_service[0]); i++)
		if (is_variable(entry, of_service[i]))
			return true;
	return is_secret(entry);
}

char **
conf_public_environment(void)
{
	size_t n = 0, i;
	char **list;

	while (environ[n] != NULL)
		n++;
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		return NULL;
	for (i = n = 0; environ[i] != NULL; i++)
		if (!is_private(environ[i]))
			list[n++] = environ[i];
	return list;
}

/* The kernel shows the memory that the program was started with, wherever
 * `environ` points by now: so the text is moved, and its place cleared. */
int
conf_hide_environment(struct err *err)
{
	char **entry, *copy;

	for (entry = environ; *entry != NULL; entry++) {
		if (!is_secret(*entry))
			continue;
		if ((copy = strdup(*entry)) == NULL)
			return err_nomem(err);
		explicit_bzero(*entry, strlen(*entry));
		*entry = copy;
	}
	return 0;
}
