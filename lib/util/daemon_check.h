/* SPDX-License-Identifier: MIT */
/* --check of the daemons. Private to util/daemon.c. */
#ifndef UTIL_DAEMON_CHECK_H
#define UTIL_DAEMON_CHECK_H

struct daemon_args;
struct daemon_program;

/* Shows all that is wrong, as `args` say. Returns the exit status. */
int daemon_check(const struct daemon_program *program,
		 const struct daemon_args *args);

#endif
