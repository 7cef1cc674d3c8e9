/* SPDX-License-Identifier: MIT */
/* That a daemon runs, and with which stores, told to the commands of this machine.
 * Private to daemon.c. */
#ifndef UTIL_DAEMON_RUNNING_H
#define UTIL_DAEMON_RUNNING_H

struct conf;
struct daemon_program;
struct running_file;

/* NULL if it cannot be announced; where it should have been, a warning says why. */
struct running_file *daemon_tell_running(const struct daemon_program *program,
					 const struct conf *conf);

#endif
