/* SPDX-License-Identifier: MIT */
/*
 * Command lines without a shell: a text that is cut into words once, with
 * places for values that come later.
 *
 * Blanks divide words. Between ' and ' everything stands for itself; between
 * " and " blanks do, and \" and \\ are a quote and a backslash; elsewhere a
 * backslash takes the next character's meaning away. Outside of ' and ', {0},
 * {1} … are places for values by number and {name} for those by name, and {{
 * and }} are braces. A place may be a part of a word. Nothing else is
 * expanded, and as a value is put in when the words are there already, it
 * never becomes several of them, or a part of another.
 *
 * What a shell would understand and nobody here does (| & ; < > ( ) $ ` *) is
 * refused unless it is quoted, so that no command line is taken for what it is
 * not.
 */
#ifndef UTIL_WORDS_H
#define UTIL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct words;

/* The highest number of a place. */
#define WORDS_NUMBER_MAX 999

/* NULL with *err (ERR_CONFIG), which gives the column, counted from 1. */
struct words *words_parse(const char *text, struct err *err);
void words_free(struct words *w);

size_t words_count(const struct words *w);
/* Whether a word has no place in it. */
bool words_fixed(const struct words *w, size_t i);
/* A word as far as it is fixed: up to its first place. */
const char *words_prefix(const struct words *w, size_t i);

/* A place: by name, or by number if that is NULL. */
struct words_place {
	const char *name;
	unsigned int number;
};

/* Appends the value of a place to `out`; -1 with *err if there is none. */
typedef int words_value_fn(void *arg, const struct words_place *place,
			   struct buf *out, struct err *err);

/*
 * Appends word number `i` to `out`, its places filled by value(arg, …). -1
 * with *err of that, or when memory runs out.
 */
int words_fill(const struct words *w, size_t i, words_value_fn *value,
	       void *arg, struct buf *out, struct err *err);

#endif
