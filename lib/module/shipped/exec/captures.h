/* SPDX-License-Identifier: MIT */
/* Keeping what commands print within its bounds. */
#ifndef EXEC_CAPTURES_H
#define EXEC_CAPTURES_H

#include <stddef.h>

struct declarations;

/* To be called before each command: now and then it starts a thread that removes
 * files which are too old, or too many. */
void captures_sweep(const struct declarations *all);
/* More was written. */
void captures_wrote(size_t bytes);
/* A thread that is at it is waited for. */
void captures_done(void);

#endif
