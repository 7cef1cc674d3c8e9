/* SPDX-License-Identifier: MIT */
/*
 * UTF-8: what is well-formed, and what becomes of what is not.
 *
 * Tasks, results and log lines travel as JSON, which must be UTF-8, while
 * commands and files may contain anything. And what of it may be shown: whatever
 * prints a text of others asks here.
 */
#include "util/utf8.h"

#include <stdbool.h>
#include <stdint.h>

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

static uint32_t
utf8_decode(const unsigned char *p, size_t len)
{
	uint32_t c = len == 1 ? *p : *p & (0x7fU >> len);
	size_t i;

	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3fU);
	return c;
}

/* In their order. A text with one of them can look like another text, or steer a
 * terminal; letters and emoji need none but U+200C and U+200D, and a name can be
 * read without these. */
static const struct {
	uint32_t first, last;
} hidden[] = {
    {0x00, 0x1f},	/* C0 */
    {0x7f, 0x9f},	/* DEL, and C1: CSI is 9B */
    {0xad, 0xad},	/* a hyphen that is not there */
    {0x61c, 0x61c},	/* the mark of Arabic letters' direction */
    {0x180e, 0x180e},	/* a separator without width */
    {0x200b, 0x200f},	/* without width; the marks of directions */
    {0x2028, 0x202e},	/* breaks; embeddings and overrides of a direction */
    {0x2060, 0x206f},	/* without width; isolates */
    {0xfeff, 0xfeff},	/* the byte order mark */
    {0xfff9, 0xfffb},	/* annotations */
    {0xe0000, 0xe007f}, /* tags */
};

static bool
is_hidden(uint32_t c)
{
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c <= hidden[i].last)
			return c >= hidden[i].first;
	return false;
}

bool
utf8_strange(const void *text, size_t left, size_t *ret_len)
{
	const unsigned char *p = text;
	const size_t len = utf8_length(p, left);

	*ret_len = len > 0 ? len : 1;
	return len == 0 || is_hidden(utf8_decode(p, len));
}

/* Bytes, not characters, are shown: \xc3\x28 tells a reader what was written. */
void
utf8_add_visible(struct buf *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + len;
	size_t n;

	while (p < end) {
		if (!utf8_strange(p, (size_t)(end - p), &n)) {
			buf_add(out, p, n);
			p += n;
			continue;
		}
		for (; n > 0; n--)
			buf_addf(out, "\\x%02x", *p++);
	}
}

/* Outside of its strings JSON has only ASCII, and blanks are all of it that is
 * below a space. */
void
utf8_add_json(struct buf *out, const char *json, size_t len)
{
	const char *end = json + len;
	uint32_t c;
	size_t n;

	for (; json < end; json += n) {
		if (!utf8_strange(json, (size_t)(end - json), &n) ||
		    (*json > 0 && *json < ' ')) {
			buf_add(out, json, n);
			continue;
		}
		c = n == 1 && *json != 0x7f
			? 0xfffd
			: utf8_decode((const unsigned char *)json, n);
		if (c >= 0x10000)
			buf_addf(out, "\\u%04x\\u%04x",
				 0xd800 + ((c - 0x10000) >> 10),
				 0xdc00 + ((c - 0x10000) & 0x3ff));
		else
			buf_addf(out, "\\u%04x", c);
	}
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
