/* SPDX-License-Identifier: MIT */
/*
 * Findings: all that a check has found wrong, and not the first fault alone.
 *
 * A finding is a sentence for a person that begins with its place ("FILE:LINE: ")
 * where it has one. An error keeps a service from working as configured; a
 * warning is what was probably not meant.
 */
#ifndef UTIL_FINDINGS_H
#define UTIL_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct finding {
	bool warning;
	char *text;
};

struct findings {
	struct finding *list;
	size_t n;
	size_t n_errors;
	bool failed; /* there was no memory for one: counts as an error */
};

/* Adds an error. */
void findings_add(struct findings *f, const struct err *err);
/* Adds one that another program has found; copies the text. */
void findings_add_text(struct findings *f, bool warning, const char *text);
/* Adds a warning. */
void findings_warn(struct findings *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void findings_done(struct findings *f);

/* How findings are shown. */
enum findings_style {
	FINDINGS_LOG,	/* as lines of the log */
	FINDINGS_TEXT,	/* on standard error, "PROGRAM: [warning: ]…" */
	FINDINGS_QUIET, /* the same without warnings */
	/* On standard output, an array of {"severity": "error" or "warning",
	 * "message": …}. */
	FINDINGS_JSON,
};
/* Shows all; what would steer a terminal is masked. */
void findings_show(const struct findings *f, const char *program,
		   enum findings_style style);

#endif
