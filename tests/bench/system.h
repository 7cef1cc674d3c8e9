/* SPDX-License-Identifier: MIT */
/*
 * Systems under test: a URL for broker and backend, and how to get what it
 * names up and down. Another one is another entry of the table in system.c.
 */
#ifndef BENCH_SYSTEM_H
#define BENCH_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct system {
	char *url;
	pid_t server; /* 0: it has none */
	char version[64];
	void *state; /* the type's own */
};

struct system_type {
	const char *name;
	const char *description;
	bool has_floor; /* bare.h speaks to it */
	/* Fills `s` with a fresh, empty one; `dir` is its to write to. Ends the
	 * program with a message if that fails. */
	void (*start)(struct system *s, const char *dir);
	void (*stop)(struct system *s);
	/* It is compared with what sqlite_floor_bench measures. */
	bool beside_sqlite;
};

extern const struct system_type system_types[];
extern const size_t n_system_types;

/* The type with this name, or NULL. */
const struct system_type *system_find(const char *name);

#endif
