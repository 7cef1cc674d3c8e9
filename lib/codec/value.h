/* SPDX-License-Identifier: MIT */
/*
 * What a value of a task may be: the one definition for all who submit, by
 * command line, library or module, and for the workers.
 *
 * An argument is any JSON value that every handler can take as it was written:
 * strings without U+0000, which ends a string in C and in a command line; whole
 * numbers of 64 bits; other numbers that a double has in its range, of which a
 * handler in C gets the nearest double, and a command the text. What is none of
 * these is refused rather than rounded, cut or failed at each worker.
 */
#ifndef CODEC_VALUE_H
#define CODEC_VALUE_H

#include "codec/scan.h"

struct err;

/*
 * Checks a value that was scanned, with all that is in it. -1 with *err
 * (ERR_DATA), whose message names the part that cannot be taken, says why, and
 * what to do.
 */
int value_check(const struct scan_value *value, struct err *err);

/* Scans `text` as one value, at most max_depth deep, and checks it. */
int value_scan(struct slice text, unsigned int max_depth,
	       struct scan_value *ret, struct err *err);

#endif
