/* SPDX-License-Identifier: MIT */
/* A task that is a command: the campaign itself, as handlers of the ledger. */
#ifndef TESTS_SOAK_COMMAND_H
#define TESTS_SOAK_COMMAND_H

#define COMMAND_OPTION "--execute"

/* Writes to the ledger that it begins, waits for `ms` (a number), and writes
 * that it ends. Returns the exit status. */
int command_run(const char *ledger, const char *ms);

#endif
