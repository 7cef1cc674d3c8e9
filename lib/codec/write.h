/* SPDX-License-Identifier: MIT */
/*
 * Writes the members of a JSON object, compactly. Each function appends one
 * member; the first begins the object, write_end() ends it.
 */
#ifndef CODEC_WRITE_H
#define CODEC_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/clock.h"

/* `name` is a literal that needs no escape. */
#define WRITE_FIRST(name) SLICE("{\"" name "\":")
#define WRITE_NEXT(name) SLICE(",\"" name "\":")

void write_text(struct buf *out, struct slice key, struct slice text);
/* `json` is copied as it is; `otherwise` in its place if it is empty. */
void write_json(struct buf *out, struct slice key, struct slice json,
		struct slice otherwise);
void write_bool(struct buf *out, struct slice key, bool value);
void write_whole(struct buf *out, struct slice key, int64_t value);
/* `value` must be finite. */
void write_double(struct buf *out, struct slice key, double value);
/* Microseconds as seconds, always with a fraction: 1.0 */
void write_seconds(struct buf *out, struct slice key, int64_t us);
void write_time(struct buf *out, struct slice key, int64_t wall_us);
void write_time_as(struct buf *out, struct slice key, enum clock_form form,
		   int64_t wall_us);
void write_end(struct buf *out);

/* Appends a number in decimal digits. */
void write_int64(struct buf *out, int64_t value);

#endif
