/* SPDX-License-Identifier: MIT */
/* Whether the commands of [task NAME] sections are there, and safe. */
#ifndef FLOWRRAD_COMMANDS_H
#define FLOWRRAD_COMMANDS_H

#include <stdbool.h>

struct conf_task;
struct err;

/* 0, or -1 and *err names the task, whose program or directory is missing, or
 * is not a program or a directory. */
int commands_find(const struct conf_task *t, struct err *err);

/* Tells of each place of the command where an argument would be run (`serious`), or is
 * refused because it could be an option. */
typedef void commands_tell_fn(const struct conf_task *t, bool serious,
			      const char *text, void *arg);
void commands_warn(const struct conf_task *t, commands_tell_fn *tell,
		   void *arg);

#endif
