/* SPDX-License-Identifier: MIT */
/*
 * Who this worker is: a name that stays the same from start to start, so that
 * it finds the tasks it had in flight, and that no second process may bear.
 */
#ifndef FLOWRRAD_IDENTITY_H
#define FLOWRRAD_IDENTITY_H

#include <stdbool.h>

#include "util/uuid.h"

struct conf;
struct err;

struct identity {
	char *id;    /* "host:instance" */
	char *path;  /* of the lock */
	char *spool; /* path of the file for results that cannot be stored */
	int lock_fd;
	/* What tells this process from others with the same id, and the same of
	 * the one that had the lock before and is gone; "" if none is known. */
	char token[UUID_TEXT_SIZE], predecessor[UUID_TEXT_SIZE];
};

/* Finds or makes the state directory and takes the lock in it; ERR_REFUSED if
 * another process has it. *ret is to be dropped in either case. */
int identity_take(const struct conf *conf, struct identity *ret,
		  struct err *err);
/* Whether the lock could be taken, but for another process that has it; makes
 * nothing. */
int identity_possible(const struct conf *conf, struct err *err);
/* Tells those who look for a worker that this one leaves, or stays after all. */
void identity_leave(const struct identity *who, bool leaving);
void identity_drop(struct identity *identity);

#endif
