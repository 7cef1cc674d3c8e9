/* SPDX-License-Identifier: MIT */
/* The pager: long answers for people, a screen at a time. */
#ifndef FLOWRRACTL_PAGER_H
#define FLOWRRACTL_PAGER_H

#include <stdbool.h>
#include <stdio.h>

/*
 * If standard output is a terminal, what is printed from now on goes through
 * $FLOWRRA_PAGER, $PAGER, or what the system has as its pager. An empty variable, or
 * "cat", means none; so does a terminal that can do nothing. What cannot be started
 * is done without.
 */
void pager_open(void);
/* Ends the output, and waits until the reader has read it. */
void pager_close(void);

/* Whether a person reads it, through the pager or not. */
bool pager_is_terminal(FILE *out);

#endif
