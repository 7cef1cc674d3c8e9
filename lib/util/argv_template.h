/* SPDX-License-Identifier: MIT */
/*
 * Templates of argument vectors: a command line without a shell, which is cut
 * into words once, with placeholders for values that come later.
 *
 * Blanks divide words. Between ' and ' everything stands for itself; between
 * " and " blanks do, and \" and \\ are a quote and a backslash; elsewhere a
 * backslash takes the next character's meaning away. Outside of ' and ', {0},
 * {1} … are placeholders for values by number and {name} for those by name, and
 * {{ and }} are braces. A placeholder may be a part of a word. Nothing else is
 * expanded. A value is put in when the words are there already, so it never
 * becomes several of them, or a part of another.
 *
 * What a shell would understand and this does not (| & ; < > ( ) $ ` *) is
 * refused unless it is quoted, so that no command line is taken for what it is
 * not.
 */
#ifndef UTIL_ARGV_TEMPLATE_H
#define UTIL_ARGV_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct argv_template;

/* The highest number of a placeholder: three digits, far more than the arguments
 * that anybody writes, and far from any overflow. */
#define ARGV_TEMPLATE_NUMBER_MAX 999

/* NULL with *err (ERR_CONFIG), which gives the column, counted from 1. */
struct argv_template *argv_template_parse(const char *text, struct err *err);
void argv_template_free(struct argv_template *t);

/* The number of words. */
size_t argv_template_count(const struct argv_template *t);
/* Whether word number `i` has no placeholder in it. */
bool argv_template_is_fixed(const struct argv_template *t, size_t i);
/* A word as far as it is fixed: up to its first placeholder. */
const char *argv_template_prefix(const struct argv_template *t, size_t i);

/* A placeholder: by name, or by number if that is NULL. */
struct argv_template_placeholder {
	const char *name;
	unsigned int number;
};

/* Each placeholder of the template, in their order; one that is written twice
 * comes twice. */
void argv_template_each(
    const struct argv_template *t,
    void (*on_placeholder)(void *arg,
			   const struct argv_template_placeholder *placeholder),
    void *arg);

/* Appends the value of a placeholder to `out`; -1 with *err if it has none. */
typedef int
argv_template_value_fn(void *arg,
		       const struct argv_template_placeholder *placeholder,
		       struct buf *out, struct err *err);

/*
 * Appends word number `i` to `out`, its placeholders filled by value(arg, …).
 * -1 with *err of that, or when memory runs out.
 */
int argv_template_fill(const struct argv_template *t, size_t i,
		       argv_template_value_fn *value, void *arg,
		       struct buf *out, struct err *err);

#endif
