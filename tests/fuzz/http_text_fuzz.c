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

/* Every byte as %XX, which any text can be written with. */
static void
escape(const char *text, struct buf *out)
{
	for (; *text != '\0'; text++)
		buf_addf(out, "%%%02X", (unsigned char)*text);
}

struct pair {
	const char *name, *value;
	int n;
};

static int
same_pair(const char *name, const char *value, void *arg, struct err *err)
{
	struct pair *pair = arg;

	if (strcmp(name, pair->name) != 0 || strcmp(value, pair->value) != 0)
		abort();
	pair->n++;
	return 0;
}

static int
check_pair(const char *name, const char *value, void *arg, struct err *err)
{
	struct pair pair = {.name = name, .value = value};
	struct buf query = BUF_INIT;

	check_text(name);
	check_text(value);
	escape(name, &query);
	buf_addc(&query, '=');
	escape(value, &query);
	if (http_query_each(query.data, same_pair, &pair, err) != 0 ||
	    pair.n != 1)
		abort();
	buf_done(&query);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct slice cookie;
	struct err err;

	if (text == NULL)
		return 0;
	if (http_query_each(text, check_pair, NULL, &err) == -1 &&
	    err.code != ERR_DATA)
		abort();
	cookie = http_cookie(text, "a");
	if (cookie.len > 0 &&
	    (cookie.p < text || cookie.p + cookie.len > text + strlen(text)))
		abort();
	free(text);
	return 0;
}
