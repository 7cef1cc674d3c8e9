/* SPDX-License-Identifier: MIT */
/*
 * UTF-8: what is well-formed, and what becomes of what is not.
 *
 * Tasks, results and log lines travel as JSON, which must be UTF-8, while
 * commands and files may contain anything.
 */
#include "util/utf8.h"

#include <stdbool.h>

#include "util/buf.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static bool
continues(unsigned char c, unsigned char low, unsigned char high)
{
	return c >= low && c <= high;
}

/* Unicode, table 3-7: the second byte tells overlong forms, surrogates and
 * what lies beyond U+10FFFF. */
size_t
utf8_length(const void *text, size_t left)
{
	const unsigned char *p = text;
	unsigned char low, high;
	size_t len, i;

	if (left == 0)
		return 0;
	if (*p < 0x80)
		return 1;
	if (*p < 0xC2 || *p > 0xF4)
		return 0;
	low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
	high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
	len = *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
	if (left < len || !continues(p[1], low, high))
		return 0;
	for (i = 2; i < len; i++)
		if (!continues(p[i], 0x80, 0xBF))
			return 0;
	return len;
}

/* Marks of a direction (U+200E, U+200F, U+061C) are as letters are: no other text
 * is turned by them. */
bool
utf8_turns(const void *text, size_t left)
{
	const unsigned char *p = text;

	return left >= 3 && p[0] == 0xE2 &&
	       ((p[1] == 0x80 && continues(p[2], 0xAA, 0xAE)) ||
		(p[1] == 0x81 && continues(p[2], 0xA6, 0xA9)));
}

/* A byte of the form 10xxxxxx continues a character: the cut moves back to one
 * that begins. */
size_t
utf8_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && continues((unsigned char)text[max], 0x80, 0xBF))
		max--;
	return max;
}

/*
 * Each bad byte becomes one replacement character, and plain stretches are
 * copied in one piece. A NUL counts as bad: the readers of this text take C
 * strings, and would lose what follows it.
 */
void
utf8_add(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *plain = text;
	size_t n;

	while (text < end) {
		n = *text != '\0' ? utf8_length(text, (size_t)(end - text)) : 0;
		if (n == 0) {
			buf_add(out, plain, (size_t)(text - plain));
			buf_adds(out, REPLACEMENT);
			plain = ++text;
		}
		text += n;
	}
	buf_add(out, plain, (size_t)(text - plain));
}
