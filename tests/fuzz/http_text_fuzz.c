/* SPDX-License-Identifier: MIT */
/* Whatever a query or a cookie has: what is read is UTF-8 without NUL, is the
 * same when it is escaped and read again, and lies within the text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "util/err.h"
#include "util/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	size_t left = strlen(text), len;

	for (; left > 0; text += len, left -= len) {
		len = utf8_length(text, left);
		if (len == 0)
			abort();
	}
}

static int
check_pair(const char *name, const char *value, void *arg, struct err *err)
{
	struct buf query = BUF_INIT, again = BUF_INIT;

	check_text(name);
	check_text(value);
	http_escape(name, &query);
	buf_addc(&query, '=');
	http_escape(value, &query);
	if (http_query_get(query.data, name, &again, err) != 1 ||
	    strcmp(again.data, value) != 0)
		abort();
	buf_done(&query);
	buf_done(&again);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct buf value = BUF_INIT;
	struct slice cookie;
	struct err err;

	if (text == NULL)
		return 0;
	if (http_query_each(text, check_pair, NULL, &err) == -1 &&
	    err.code != ERR_DATA)
		abort();
	http_query_get(text, "a", &value, &err);
	cookie = http_cookie(text, "a");
	if (cookie.len > 0 &&
	    (cookie.p < text || cookie.p + cookie.len > text + strlen(text)))
		abort();
	buf_done(&value);
	free(text);
	return 0;
}
