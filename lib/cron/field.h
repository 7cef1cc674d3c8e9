/* SPDX-License-Identifier: MIT */
/* The fields of an expression, and how one of them is read. */
#ifndef CRON_FIELD_H
#define CRON_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "cron/cron.h"

enum field_id {
	FIELD_SECOND,
	FIELD_MINUTE,
	FIELD_HOUR,
	FIELD_DAY,
	FIELD_MONTH,
	FIELD_WEEKDAY,
	FIELD_YEAR,
	FIELDS
};

struct field {
	const char *name;
	unsigned int min, max; /* of values that are written */
	unsigned int last;     /* where "*" and "a/n" end */
	unsigned int drawn;    /* H is at most this */
	const char *takes;     /* for hints */
	const char *names;     /* three letters each, from `min` on; or NULL */
	const char *const *full; /* the same in full, NULL at the end */
	const char *letters;	 /* that this field alone understands */
};

extern const struct field fields[FIELDS];

/* The values of a field: bit 0 is its `min`. */
struct field_set {
	uint64_t words[4];
	bool bare; /* nothing but "*" or "?" */
	bool star; /* begins with "*" */
};

/* Adds first, first + step, … up to `last`. */
void field_set_add(struct field_set *set, enum field_id id, unsigned int first,
		   unsigned int last, unsigned int step);

/* The reader: it looks at what stands between `p` and `end`. */
struct scan {
	const char *text;
	const char *p;
	const char *end;
	const char *start, *stop; /* of the field, or of all fields */
	enum field_id field;	  /* FIELDS: none */
	bool numbered;		  /* the last value was a number */
	bool quartz; /* a "?" was read, which Vixie cron does not have */
	uint64_t seed;
	struct cron *cron; /* gets what fits in no set: L, W, # */
	struct cron_fault *fault;
	struct err *err;
};

/*
 * Notes a fault in the bytes from `from` to `to`, with a hint, and returns -1.
 * When there are none of them, the message shows the whole field.
 */
int scan_fault(const struct scan *s, enum cron_fault_code code,
	       const char *from, const char *to, const char *hint, ...)
    __attribute__((format(printf, 5, 6)));

/* Reads a field: its values into *ret, and all else (L, LW, nW, n#k) into
 * s->cron. */
int field_read(struct scan *s, struct field_set *ret);
/* Reads an item of a field's list, and adds its values. */
int item_read(struct scan *s, struct field_set *set);
/* Reads an item that begins with L, in the day's field. */
int item_read_last_day(struct scan *s);
/* Reads the "/n" of an item, if there is one; else the step is 1. */
int item_read_step(struct scan *s, unsigned int *ret);
/* Reads an item that begins with H. */
int item_read_drawn(struct scan *s, struct field_set *set);

/* Reads a number or a name. */
int value_read(struct scan *s, unsigned int *ret);
/* Says that a name is none of the field's, with one that is close. */
int value_fault_name(const struct scan *s, const char *from, const char *to);

#endif
