/* SPDX-License-Identifier: MIT */
/* Escapes, and lists of tokens. Private to lib/http. */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include <stdbool.h>

#include "util/buf.h"

/*
 * Appends `in` with its %XX decoded, and "+" as a space in a form, to `out`. What
 * it gives is UTF-8 without NUL; NULL, or what is wrong: "has a …".
 */
const char *http_unescape(struct slice in, bool form, struct buf *out);

/* Whether a list of tokens ("keep-alive, Upgrade") has this one, in any case. */
bool http_has_token(const char *list, const char *token);

#endif
