/* SPDX-License-Identifier: MIT */
/*
 * A configuration that is read in a thread, while a loop turns.
 *
 * Files can lie on a server that does not answer, and names of users are looked
 * up in a directory service: both sleep for as long as they like, and a daemon
 * that sleeps is taken for dead.
 */
#ifndef UTIL_CONF_READ_H
#define UTIL_CONF_READ_H

struct conf;
struct conf_read;
struct err;
struct event_base;

struct conf_read_options {
	struct event_base *base;
	const char *path;	     /* as conf_load(); both must outlive */
	const char *const *settings; /* the process, for a thread may be left */
	/* What else may block; in the thread. NULL: nothing. */
	int (*check)(const struct conf *conf, struct err *err);
	/* The end, from the loop: the configuration, which is the receiver's to
	 * free, or NULL and why. Not called after conf_read_free(). */
	void (*on_done)(struct conf *conf, const struct err *why, void *arg);
	void *arg;
};

/* NULL with *err if the thread cannot be started. */
struct conf_read *conf_read_start(const struct conf_read_options *options,
				  struct err *err);
/* Also within on_done. A thread that still sleeps is left to itself. */
void conf_read_free(struct conf_read *r);

#endif
