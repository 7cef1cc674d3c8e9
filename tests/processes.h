/* SPDX-License-Identifier: MIT */
/* What processes of a server are doing. A failure ends the test. */
#ifndef TESTS_PROCESSES_H
#define TESTS_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether all threads are in one of these states: "T", "TZ" (proc(5)). */
bool threads_are(pid_t pid, const char *states);
/* Whether a child lives; one that has ended waits for its parent. */
bool has_children(pid_t parent);

#endif
