/* SPDX-License-Identifier: MIT */
/* flowrractl as a program, in lines of a shell. */
#ifndef TESTS_MANAGER_CTL_RUN_H
#define TESTS_MANAGER_CTL_RUN_H

/* What the last line printed. */
extern char ctl_output[65536];
/* Runs a shell line in which $F is the program; returns the exit status. */
int ctl_run(const char *line);

#endif
