/* SPDX-License-Identifier: MIT */
/* Unique tasks: of several with the same key, one is queued. */
#ifndef CORE_UNIQUE_H
#define CORE_UNIQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"

struct err;

/* The key is a part of a name at the store, so it has some bound. */
#define UNIQUE_KEY_MAX 1024

/* How long the key keeps others out. */
enum unique_until {
	UNIQUE_TIME,  /* for a time, whatever becomes of the task */
	UNIQUE_START, /* until the task starts, or is gone */
	UNIQUE_END    /* until it has ended, or is gone */
};
/* "", "start", "end". */
extern const char *const unique_until_words[UNIQUE_END + 1];

/* What a producer says. */
struct unique_wish {
	const char *key;   /* NULL: none */
	const char *until; /* NULL: for a time */
	double ttl_s;	   /* 0 or less: what is usual */
	double debounce_s; /* 0 or less: none */
	bool delayed;	   /* it also says when the task is to run */
};

/* What that means. */
struct unique {
	enum unique_until until;
	int64_t ttl_s;
	int64_t debounce_ms; /* 0: none */
};

/* 0, or -1 with *err (ERR_DATA). */
int unique_read(const struct unique_wish *wish, struct unique *ret,
		struct err *err);

#endif
