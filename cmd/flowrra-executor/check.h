/* SPDX-License-Identifier: MIT */
/* flowrra-executor --check: whether modules can be loaded and configured. */
#ifndef FLOWRRA_EXECUTOR_CHECK_H
#define FLOWRRA_EXECUTOR_CHECK_H

/* Where flowrrad --check reads the answer. */
#define CHECK_FD 3

/*
 * Without files: reads the JSON of an INIT message (ipc.h) from standard input,
 * loads its modules without calling init(), and writes to CHECK_FD a line
 * "loading PATH" before each, and at the end the JSON of READY. With files:
 * loads these and prints what is wrong. Returns the exit status.
 */
int check_modules(int n, char **files);

#endif
