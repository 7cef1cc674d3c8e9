/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the scanner share: scan.c (values), scan_string.c and
 * scan_number.c. The functions that read take the place where to begin and
 * return the place behind what they read, or NULL with s->err set.
 */
#ifndef CODEC_SCAN_INT_H
#define CODEC_SCAN_INT_H

#include "codec/scan.h"

struct scan {
	const unsigned char *start;
	const unsigned char *end;
	unsigned int depth; /* arrays and objects that are open */
	unsigned int max_depth;
	struct err *err;
	const char *inexact; /* since it was last reset; see scan.h */
};

/* Sets the error "not JSON: <what> (byte <p>)"; returns NULL. */
const unsigned char *scan_fail(const struct scan *s, const unsigned char *p,
			       const char *what);

const unsigned char *scan_value(struct scan *s, const unsigned char *p,
				struct scan_value *ret);
/* Notes a part of a value that is not exact, if it is the first. */
static inline void
scan_note_inexact(struct scan *s, const unsigned char *p)
{
	if (s->inexact == NULL)
		s->inexact = (const char *)p;
}

/* `p` is behind the opening quote. Keys may not hold U+0000. */
const unsigned char *scan_string(struct scan *s, const unsigned char *p,
				 bool key, struct scan_value *ret);
const unsigned char *scan_number(struct scan *s, const unsigned char *p);

#endif
