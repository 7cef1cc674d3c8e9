/* SPDX-License-Identifier: MIT */
/* Lists of fires that own their texts. Private to lib/schedules. */
#ifndef SCHEDULES_FIRES_H
#define SCHEDULES_FIRES_H

#include "schedules/claim.h"
#include "schedules/schedules.h"
#include "util/buf.h"

/* Zeros are an empty one. */
struct fires {
	struct schedules_fires list;
	size_t cap;
	struct buf texts; /* the texts of all, one after the other */
};

/* Copies a fire; -1: out of memory, as fires_seal() will say, too. */
int fires_add(struct fires *f, const struct schedule_fire *fire);
/* Follows the last one, and comes before anybody looks at the list. */
int fires_seal(struct fires *f);
/* Gives a sealed list away, for schedules_fires_free(); NULL: no memory. */
struct schedules_fires *fires_take(struct fires *f);
void fires_done(struct fires *f);

#endif
