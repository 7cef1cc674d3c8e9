/* SPDX-License-Identifier: MIT */
/*
 * Whether a process lives, told by locks on a file that it has open.
 *
 * These are locks which others can ask for without taking them: who asks never
 * keeps a process from starting. The kernel drops them with the process, however
 * it ends. They say nothing about who may be the only one; that is another lock's
 * affair (flock()).
 */
#ifndef UTIL_ALIVE_H
#define UTIL_ALIVE_H

#include <stdbool.h>

enum alive {
	ALIVE_NO,
	ALIVE_RUNNING,
	ALIVE_LEAVING /* it may not look for work any more; wait for its end */
};

/* This process lives, as long as the descriptor is open, which is not inherited.
 * -1 with errno. */
int alive_begin(int fd);
/* It does not, for those who ask. */
void alive_end(int fd);
/* It is leaving, or has decided to stay. -1 with errno. */
int alive_leave(int fd, bool leaving);

/* Of the process that has this file open; a file that is not there has none. */
enum alive alive_ask(const char *path);
/* The same of one that is open for reading. */
enum alive alive_ask_fd(int fd);

#endif
