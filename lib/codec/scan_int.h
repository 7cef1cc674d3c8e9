/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the scanner share: scan.c (values), scan_string.c and
 * scan_number.c. The functions that read take the place where to begin and
 * return the place behind what they read, or NULL with s->err set.
 */
#ifndef CODEC_SCAN_INT_H
#define CODEC_SCAN_INT_H

#include "codec/scan.h"

/*
 * What is called for the parts of an array or object, each when all of it has
 * been read; s->depth is then the number of arrays and objects around it.
 */
struct visitor {
	scan_member_fn *on_member;
	scan_element_fn *on_element;
	void *arg;
};

struct scan {
	const unsigned char *start;
	const unsigned char *end;
	unsigned int depth; /* arrays and objects that are open */
	unsigned int max_depth;
	struct err *err;
	/* For the parts of the values inside the outermost one. */
	const struct visitor *inside;
	const char *inexact; /* since it was last reset; see scan.h */
};

/* Sets the error "not JSON: <what> (byte <p>)"; returns NULL. */
const unsigned char *scan_fail(const struct scan *s, const unsigned char *p,
			       const char *what);

/* scan_check() with a visitor of all parts, at whatever depth; *s is made here,
 * for the visitor to look at. */
int scan_all(struct scan *s, struct slice text, unsigned int max_depth,
	     const struct visitor *parts, struct scan_value *ret,
	     struct err *err);

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
