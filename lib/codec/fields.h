/* SPDX-License-Identifier: MIT */
/*
 * Reads the members of a JSON object into a struct, as a table says: which
 * names it knows, of which type they are, in which range, and where they go.
 */
#ifndef CODEC_FIELDS_H
#define CODEC_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/scan.h"
#include "util/clock.h"

struct err;

/* X(name, C type that it is stored as) */
#define FIELD_TYPES(X)                                                         \
	X(TEXT, struct slice)	/* a string; unescaped */                      \
	X(ARRAY, struct slice)	/* as it stands */                             \
	X(OBJECT, struct slice) /* as it stands */                             \
	X(ANY, struct slice)	/* any value as it stands */                   \
	X(BOOL, bool)                                                          \
	X(WHOLE, int64_t)                                                      \
	X(NUMBER, double)                                                      \
	X(SECONDS, int64_t) /* microseconds; the range is in seconds */        \
	X(TIME, int64_t)    /* RFC 3339; microseconds of the wall clock */

enum field_type {
#define X(name, type) FIELD_##name,
	FIELD_TYPES(X)
#undef X
};

struct field {
	struct slice name;
	enum field_type type;
	bool required;
	bool exact;    /* it must be as codec/value.h says */
	size_t offset; /* of the member that takes the value */
	double min;    /* of WHOLE, NUMBER and SECONDS */
	double max;
};

#define FIELDS_MAX 32

/*
 * Reads `text` into the struct at `base`. The members of the struct whose
 * fields are absent or null stay as they are; unknown fields are skipped.
 * Slices point into `text`, or into `scratch` where a string was unescaped:
 * it is emptied first, and grows at most once.
 *
 * Errors are ERR_DATA and name the field, what came, and what must be there: a
 * wrong type, a number out of range, a known field twice, a required one
 * missing; or say why the text is not a JSON object (codec/scan.h).
 *
 * The table has at most FIELDS_MAX entries. Entries are found fastest in the
 * order in which the members usually come.
 */
struct fields_in {
	const struct field *table;
	size_t n;
	unsigned int max_depth;
	struct buf *scratch;
	enum clock_form times; /* what a time without an offset means */
};
int fields_read(const struct fields_in *in, struct slice text, void *base,
		struct err *err);

#endif
