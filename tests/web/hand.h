/* SPDX-License-Identifier: MIT */
/*
 * A worker's hand, for tests of routes: it ends tasks of a desk's store as a
 * worker would.
 */
#ifndef TESTS_WEB_HAND_H
#define TESTS_WEB_HAND_H

#include "web/desk.h"

/* What a task that failed leaves in the dead list: `info` below. */
#define HAND_DISK                                                              \
	"{\"reason\":\"failed\",\"error\":\"disk full\\nat "                   \
	"3\",\"attempts\":1}"

/* Claims `n` tasks of the queue "io", and has each end: with success (`info` is
 * NULL), or in the dead list with `info`, JSON. Waits for all of them. */
void hand_end_tasks(struct desk *d, unsigned int n, const char *info);
/* Stores the record of a task that goes on, and waits for it. */
void hand_note(struct desk *d, const char *id, const char *record);

#endif
