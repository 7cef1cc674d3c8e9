/* SPDX-License-Identifier: MIT */
/*
 * Who this worker is: a name that stays the same from start to start, so that
 * it finds the tasks it had in flight, and that no second process may bear.
 */
#ifndef FLOWRRAD_IDENTITY_H
#define FLOWRRAD_IDENTITY_H

struct conf;
struct err;

struct identity {
	char *id;    /* "host:instance" */
	char *path;  /* of the lock */
	char *spool; /* path of the file for results that cannot be stored */
	int lock_fd;
};

/* Finds or makes the state directory and takes the lock in it; ERR_REFUSED if
 * another process has it. *ret is to be dropped in either case. */
int identity_take(const struct conf *conf, struct identity *ret,
		  struct err *err);
void identity_drop(struct identity *identity);

#endif
