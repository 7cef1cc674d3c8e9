/* SPDX-License-Identifier: MIT */
/*
 * What a value could be in a command line besides data.
 *
 * A template keeps a value one word. That word can still be an option, or a
 * part of a text that the program runs; both are told from the template alone,
 * by what usual programs do.
 */
#ifndef UTIL_ARGV_GUARD_H
#define UTIL_ARGV_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct argv_template;

enum argv_risk {
	ARGV_RISK_NONE,
	/* The word is an option if its value begins with '-'. */
	ARGV_RISK_OPTION,
	/* A program other than a shell runs it, whatever it is. */
	ARGV_RISK_CODE,
	/* The text of a shell's script. */
	ARGV_RISK_SCRIPT,
};

/* Of word number `i`. Words without a placeholder have no risk. */
enum argv_risk argv_guard_risk(const struct argv_template *t, size_t i);

/* The program that word number `i` is for, without its directory. */
const char *argv_guard_program(const struct argv_template *t, size_t i);

/*
 * Whether a value looks like an option: it begins with '-', is not "-" alone,
 * which stands for standard input, and not a negative number in decimal digits.
 */
bool argv_guard_is_option(const char *value);

#endif
