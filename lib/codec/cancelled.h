/* SPDX-License-Identifier: MIT */
/* The record of a task that was cancelled before it ran. */
#ifndef CODEC_CANCELLED_H
#define CODEC_CANCELLED_H

#include "util/buf.h"
#include "util/clock.h"

struct err;

/* What such a record says. */
#define CANCEL_ERROR "cancelled before it started"
#define CANCEL_REASON "cancelled"

/*
 * Writes the record `stored` into `out`, which is empty, as that of a task that has
 * been cancelled now: it failed, with CANCEL_ERROR; all its other members stay. It may be another
 * program's, and be anything: ERR_DATA if it is not even an object after a
 * repair (codec/repair.h).
 */
int cancelled_write(struct slice stored, enum clock_form times, struct buf *out,
		    struct err *err);

#endif
