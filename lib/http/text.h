/* SPDX-License-Identifier: MIT */
/* Escapes and names of statuses. Private to lib/http. */
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

/* The code of a problem: "not_found". */
const char *http_status_code(unsigned int status);

#endif
