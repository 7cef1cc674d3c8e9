/* SPDX-License-Identifier: MIT */
/*
 * Masking: what viewers do not see ([web] hide).
 *
 * The value of a member whose name matches becomes "•••", wherever it stands;
 * in any text, so does what follows such a name and ":" or "=", or, where the
 * name is an option of a command ("--password"), a blank. Bytes that are shown
 * in base64 are hidden as a whole.
 */
#ifndef WEB_MASK_H
#define WEB_MASK_H

#include <stdbool.h>

#include <jansson.h>

struct buf;
struct err;
struct web_mask;

#define MASK_TEXT "•••"

/* `hide`: patterns with * and ?, with spaces or commas between them; case does not
 * matter. NULL with *err: no memory. */
struct web_mask *mask_new(const char *hide, struct err *err);
void mask_free(struct web_mask *mask);

/* Whether it hides anything. */
bool mask_hides(const struct web_mask *mask);
bool mask_matches(const struct web_mask *mask, const char *name);
/* Changes `value`. NULL for `mask` hides nothing. */
void mask_json(const struct web_mask *mask, json_t *value);
/* The same with bytes of a type: JSON, or text. */
void mask_bytes(const struct web_mask *mask, const char *type,
		struct buf *bytes);
/* Appends `text`, masked. */
void mask_text(const struct web_mask *mask, const char *text, struct buf *out);

#endif
