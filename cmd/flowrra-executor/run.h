/* SPDX-License-Identifier: MIT */
/* flowrra-executor --run and --list: a module tried by hand. */
#ifndef FLOWRRA_EXECUTOR_RUN_H
#define FLOWRRA_EXECUTOR_RUN_H

/* For --help. */
extern const char run_usage[];

/* The arguments behind --run; prints the result on standard output, and all
 * else on standard error. Returns the exit status. */
int run_task(int n, char **args);

/* The arguments behind --list: modules, whose tasks are printed, one a line. */
int list_tasks(int n, char **files);

#endif
