/* SPDX-License-Identifier: MIT */
/*
 * Commands and settings as a manual shows them, for tests that follow it.
 */
#ifndef TESTS_E2E_MANUAL_STEPS_H
#define TESTS_E2E_MANUAL_STEPS_H

#include "e2e/world.h"

/* The next block of what is shown as it is, behind `*at`, which moves on. */
char *manual_block(struct world *w, char **at);
/* Real ports in the place of those of the manual. */
char *manual_ports(struct world *w, char *text, const char *const *ports,
		   const int *real, size_t n);
/* As a shell reads it: without prompts, and without what mdoc needs. */
char *manual_commands(struct world *w, char *text);
/* Runs commands that start servers, in the world's directory; then there is a file
 * "ready". SIGTERM ends all of it, as does the end of the test. */
pid_t manual_start(struct world *w, const char *commands);

#endif
