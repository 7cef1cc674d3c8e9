/* SPDX-License-Identifier: MIT */
/* The command line of the daemons. Private to util/daemon.c. */
#ifndef UTIL_DAEMON_ARGS_H
#define UTIL_DAEMON_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/findings.h"

struct daemon_program;

/* Each key once, and as many again. */
#define DAEMON_SETTINGS_MAX 64

#define DAEMON_TEXT_SIZE 64
/* What the command line says. Strings are those of argv; must not move, since a
 * setting may be one of its texts. */
struct daemon_args {
	const char *config; /* NULL: the standard places */
	const char *settings[DAEMON_SETTINGS_MAX + 1]; /* NULL-ended */
	size_t n_settings;
	/* Some of the settings. */
	char log_format[DAEMON_TEXT_SIZE], idle_exit[DAEMON_TEXT_SIZE];
	bool print, dump, check; /* print or check the configuration, and end */
	enum findings_style style; /* of --check */
};

/* Parses into *ret, which is zeroed. -1 to go on; or the exit status, after
 * help, the version or a complaint was printed. */
int daemon_args_parse(const struct daemon_program *program, int argc,
		      char **argv, struct daemon_args *ret);

#endif
