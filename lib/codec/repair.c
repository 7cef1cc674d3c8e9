/* SPDX-License-Identifier: MIT */
/* What others have stored, made readable: token by token, without a stack. */
#include "codec/repair.h"

#include <stdbool.h>
#include <string.h>

#include "codec/scan.h"
#include "util/utf8.h"

#define REPLACEMENT "\\ufffd"

/* A backslash, a "u", and four digits; twice for a pair. */
#define ESCAPE_LEN 6

/* Whether the `len` bytes at p are a string's content that everybody takes. */
static bool
is_fine(const char *p, size_t len)
{
	char quoted[2 * ESCAPE_LEN + 2];
	struct scan_value value;

	quoted[0] = '"';
	memcpy(quoted + 1, p, len);
	quoted[len + 1] = '"';
	return scan_check((struct slice){quoted, len + 2}, 0, &value, NULL) ==
		   0 &&
	       value.inexact == NULL;
}

/* Appends the escape at p; returns what follows. */
static const char *
repair_escape(const char *p, const char *end, struct buf *out)
{
	static const size_t lengths[] = {2, ESCAPE_LEN, 2 * (size_t)ESCAPE_LEN};
	size_t i, len;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		len = lengths[i];
		if ((size_t)(end - p) < len || !is_fine(p, len))
			continue;
		buf_add(out, p, len);
		return p + len;
	}
	buf_adds(out, REPLACEMENT);
	/* Half a pair, or U+0000, is skipped as a whole. */
	if (end - p >= ESCAPE_LEN && p[1] == 'u')
		return p + ESCAPE_LEN;
	return p + 1;
}

/* `p` is behind the opening quote; returns what follows the closing one. */
static const char *
repair_string(const char *p, const char *end, struct buf *out)
{
	size_t len;

	buf_addc(out, '"');
	while (p < end && *p != '"') {
		if (*p == '\\') {
			p = repair_escape(p, end, out);
			continue;
		}
		len = utf8_length((const unsigned char *)p, (size_t)(end - p));
		if (len > 0 && is_fine(p, len))
			buf_add(out, p, len);
		else
			buf_adds(out, REPLACEMENT);
		p += len > 0 ? len : 1;
	}
	buf_addc(out, '"');
	return p < end ? p + 1 : end;
}

/* A number, a name of a value, or what somebody took for one. */
static void
repair_word(const char *p, size_t len, struct buf *out)
{
	struct scan_value value;

	if (scan_check((struct slice){p, len}, 0, &value, NULL) == 0 &&
	    value.inexact == NULL)
		buf_add(out, p, len);
	else if (memchr(p, '\0', len) == NULL)
		scan_quote(out, (struct slice){p, len});
	else /* no text at all */
		buf_adds(out, "\"" REPLACEMENT "\"");
}

void
repair_json(struct slice text, struct buf *out)
{
	static const char marks[] = "{}[]:, \t\r\n\"";
	const char *p = text.p, *end = text.p + text.len, *word;

	while (p < end) {
		if (*p == '"') {
			p = repair_string(p + 1, end, out);
			continue;
		}
		/* memchr(), since the NUL is not a mark. */
		for (word = p;
		     p < end && memchr(marks, *p, sizeof(marks) - 1) == NULL;
		     p++)
			;
		if (p > word)
			repair_word(word, (size_t)(p - word), out);
		else
			buf_addc(out, *p++);
	}
}
