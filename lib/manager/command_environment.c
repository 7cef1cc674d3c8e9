/* SPDX-License-Identifier: MIT */
/*
 * The environment that a command takes along.
 *
 * It may run hours later, when this terminal, and the session with its sockets,
 * are gone, or belong to somebody else: those variables stay here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager/command.h"
#include "util/conf.h"
#include "util/err.h"

/* Names, and beginnings of names, which end in a star. */
static const char *const command_left_out[] = {"TERM",
					       "TERMCAP",
					       "COLORTERM",
					       "COLUMNS",
					       "LINES",
					       "SHLVL",
					       "_",
					       "PWD",
					       "OLDPWD",
					       "DISPLAY",
					       "WAYLAND_DISPLAY",
					       "XAUTHORITY",
					       "WINDOWID",
					       "TMUX",
					       "TMUX_PANE",
					       "STY",
					       "WINDOW",
					       "SSH_*",
					       "GPG_AGENT_INFO",
					       "DBUS_SESSION_BUS_ADDRESS",
					       "DBUS_*",
					       "XDG_VTNR",
					       "XDG_SESSION_*",
					       "XDG_SEAT*",
					       "SUDO_*",
					       "KRB5CCNAME",
					       "FLOWRRA_TASK_*"};

static bool
command_leaves_out(const char *entry)
{
	const size_t len = strcspn(entry, "=");
	const char *name;
	size_t i, n;

	for (i = 0; i < sizeof(command_left_out) / sizeof(char *); i++) {
		name = command_left_out[i];
		n = strlen(name);
		if (name[n - 1] == '*'
			? len >= n - 1 && strncmp(entry, name, n - 1) == 0
			: len == n && strncmp(entry, name, n) == 0)
			return true;
	}
	return false;
}

static bool
command_same_name(const char *a, const char *b)
{
	const size_t len = strcspn(a, "=");

	return strcspn(b, "=") == len && strncmp(a, b, len) == 0;
}

/* The last one that is said of a variable counts, and none comes twice. */
static void
command_put(char **list, size_t *n, char *entry)
{
	size_t i;

	for (i = 0; i < *n; i++) {
		if (command_same_name(list[i], entry)) {
			list[i] = entry;
			return;
		}
	}
	list[(*n)++] = entry;
}

/* NAME alone is looked up here, also one that is left out otherwise. */
static void
command_put_chosen(char **list, size_t *n, const char *chosen)
{
	char **entry;

	if (strchr(chosen, '=') != NULL) {
		command_put(list, n, (char *)chosen);
		return;
	}
	for (entry = environ; *entry != NULL; entry++)
		if (command_same_name(*entry, chosen))
			command_put(list, n, *entry);
}

char **
command_environment(const char *const *chosen, size_t n_chosen,
		    const char *directory, char **ret_text, struct err *err)
{
	char **public = conf_public_environment(), **list = NULL, *pwd = NULL;
	size_t i, n = 0, max = n_chosen + 2;

	for (i = 0; public != NULL && public[i] != NULL; i++)
		max++;
	list = calloc(max, sizeof(*list));
	if (public == NULL || list == NULL ||
	    asprintf(&pwd, "PWD=%s", directory) < 0) {
		free(public);
		free(list);
		err_nomem(err);
		return NULL;
	}
	for (i = 0; public[i] != NULL; i++)
		if (!command_leaves_out(public[i]))
			list[n++] = public[i];
	free(public);
	command_put(list, &n, pwd);
	for (i = 0; i < n_chosen; i++)
		command_put_chosen(list, &n, chosen[i]);
	*ret_text = pwd;
	return list;
}
