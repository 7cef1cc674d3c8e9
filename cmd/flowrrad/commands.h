/* SPDX-License-Identifier: MIT */
/* Whether the commands of [task NAME] sections are there, and safe. */
#ifndef FLOWRRAD_COMMANDS_H
#define FLOWRRAD_COMMANDS_H

struct conf_task;
struct err;

/* 0, or -1 and *err names the task, whose program or directory is missing, or
 * is not a program or a directory. */
int commands_find(const struct conf_task *t, struct err *err);

/* Logs each place of the command where an argument would be run,
 * or is refused because it could be an option. */
void commands_warn(const struct conf_task *t);

#endif
