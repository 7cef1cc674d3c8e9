/* SPDX-License-Identifier: MIT */
/*
 * Values as people write them, in options and in JSON: a number, a duration, a
 * time. One description of a value says where it goes and what is allowed.
 */
#ifndef MANAGER_VALUE_H
#define MANAGER_VALUE_H

#include <stddef.h>

struct err;

/* X(name, C type of the member) */
#define VALUE_TYPES(X)                                                         \
	X(FLAG, bool)	      /* "true" or "false" */                          \
	X(SWITCH, int)	      /* the same; 1 or 0, beside FLOWRRA_UNSET */     \
	X(TEXT, const char *) /* borrowed */                                   \
	X(INT, int)                                                            \
	X(NUMBER, double)                                                      \
	X(SECONDS, double)   /* clock_parse_duration(); in seconds */          \
	X(TIME, int64_t)     /* moment_read(); µs of the wall clock */        \
	X(DEADLINE, int64_t) /* the same, to come */                           \
	X(PAST, int64_t)     /* the same, gone by */                           \
	X(LIST, struct value_list)

enum value_type {
#define X(name, type) VALUE_##name,
	VALUE_TYPES(X)
#undef X
};

/* Texts, borrowed, in the order in which they came. */
#define VALUE_LIST_MAX 256
struct value_list {
	const char *items[VALUE_LIST_MAX + 1]; /* NULL at the end */
	size_t n;
};

struct value_spec {
	enum value_type type;
	size_t offset; /* of the member */
	double min;    /* of INT, NUMBER and SECONDS */
	double max;
};

/*
 * Reads `text` into its member of the struct at `base`. The message of an
 * error (ERR_DATA) begins with the text, for the caller to say what it is:
 *	"x": not a whole number (0 to 10)
 */
int value_set(const struct value_spec *spec, const char *text, void *base,
	      struct err *err);

#endif
