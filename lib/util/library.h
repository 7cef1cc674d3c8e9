/* SPDX-License-Identifier: MIT */
/*
 * Libraries of others that are loaded when they are first used.
 *
 * Linked, each would be work for every program that starts, whatever it does:
 * that was half of what a lone submission took. A list NAME.functions beside its
 * users names the functions; make finds the file's name, as a linker would note
 * it, and makes loaded/NAME.h of both. The users include that in place of the
 * library's own header, and call the functions by their names, as if linked.
 *
 * The loader finds the file where it finds those that are linked, and nowhere
 * else. A library stays loaded: there is no telling who still uses it.
 */
#ifndef UTIL_LIBRARY_H
#define UTIL_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>

struct err;

struct library {
	const char *what; /* for messages: "SQLite" */
	const char *file;
	const char *names; /* each with its NUL, and an empty one at the end */
	void **functions;  /* where they go, in the same order */
	pthread_mutex_t lock;
	bool loaded;
};

/* Of the header that make has written: the functions, and what loads them. */
#define LIBRARY(text, name)                                                    \
	struct loaded_##name loaded_##name;                                    \
	static struct library library_##name = {                               \
	    .what = (text),                                                    \
	    .file = loaded_##name##_file,                                      \
	    .names = loaded_##name##_names,                                    \
	    .functions = (void **)&loaded_##name,                              \
	    .lock = PTHREAD_MUTEX_INITIALIZER}

/*
 * Loads it unless it is loaded; any thread may call this. 0, or -1 with *err
 * (ERR_CONFIG): it is not installed, or too old. Before that succeeded, no
 * function of it may be called.
 */
int library_load(struct library *library, struct err *err);

#endif
