/* SPDX-License-Identifier: MIT */
/*
 * Strings in a JSON text: checked, unescaped, and written.
 *
 * Most bytes of a task are in strings, and most of those need no treatment. So
 * the scanner passes over plain text eight bytes at a time, and looks at single
 * bytes only where something special begins.
 */
#include "codec/scan_int.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "util/utf8.h"

/* What stands for itself in a string: no control character, quote, backslash
 * or part of a longer UTF-8 sequence. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#define EVERY_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/*
 * Sets the highest bit of each of the eight bytes in `word` that is not plain.
 * A borrow may mark bytes above one that is marked, but never below: the
 * lowest mark is right.
 */
static uint64_t
mark_special(uint64_t word)
{
	uint64_t quote = word ^ EVERY_BYTE('"');
	uint64_t backslash = word ^ EVERY_BYTE('\\');

	return ((word - EVERY_BYTE(0x20)) | (quote - EVERY_BYTE(1)) |
		(backslash - EVERY_BYTE(1)) | word) &
	       EVERY_BYTE(0x80);
}

/*
 * memcpy() reads the word, since `p` is aligned to nothing; compilers make one
 * instruction of it. In little-endian order the first byte of the text is the
 * lowest, where the mark is right.
 */
static const unsigned char *
skip_plain(const unsigned char *p, const unsigned char *end)
{
	uint64_t word, special;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, 8);
		if ((special = mark_special(le64toh(word))) != 0)
			return p + __builtin_ctzll(special) / 8;
	}
	while (p < end && is_plain(*p))
		p++;
	return p;
}

/* What follows a backslash, and the character that it stands for. Indexed by
 * any byte, so that the lookup needs no check; 0 is not an escape. */
static const char escapes[UINT8_MAX + 1] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',	 ['r'] = '\r', ['t'] = '\t',
};

/* The value of the four hexadecimal digits at p, or -1. */
static int
read_hex4(const unsigned char *p)
{
	int value = 0;
	int i;

	for (i = 0; i < 4; i++) {
		value *= 16;
		if (p[i] >= '0' && p[i] <= '9')
			value += p[i] - '0';
		else if (p[i] >= 'a' && p[i] <= 'f')
			value += p[i] - 'a' + 10;
		else if (p[i] >= 'A' && p[i] <= 'F')
			value += p[i] - 'A' + 10;
		else
			return -1;
	}
	return value;
}

/* U+D800 to U+DFFF are not characters: UTF-16 writes one beyond U+FFFF as a
 * high and a low one of these, and JSON has taken that over. */
static bool
is_surrogate(int code)
{
	return code >= 0xD800 && code <= 0xDFFF;
}

static bool
is_low_surrogate(int code)
{
	return code >= 0xDC00 && code <= 0xDFFF;
}

/*
 * `p` is at the backslash of "\u"; two of them for a pair of surrogates. A half
 * pair has no UTF-8. A NUL in a name is refused because jansson, which reads
 * the arguments later, cannot hold it.
 */
static const unsigned char *
read_unicode(struct scan *s, const unsigned char *p, bool key)
{
	int code = -1;

	if (s->end - p >= 6)
		code = read_hex4(p + 2);
	if (code < 0)
		return scan_fail(s, p, "\\u needs four hexadecimal digits");
	if (code == 0 && key)
		return scan_fail(s, p, "a member's name may not hold \\u0000");
	if (code == 0)
		scan_note_inexact(s, p);
	if (!is_surrogate(code))
		return p + 6;
	if (is_low_surrogate(code) || s->end - p < 12 || p[6] != '\\' ||
	    p[7] != 'u' || !is_low_surrogate(read_hex4(p + 8)))
		return scan_fail(s, p, "half of a surrogate pair");
	return p + 12;
}

/* Returns what follows one character that is not plain, or NULL. */
static const unsigned char *
read_special(struct scan *s, const unsigned char *p, bool key)
{
	size_t len;

	if (*p < 0x20)
		return scan_fail(s, p,
				 "a control character in a string must be "
				 "written as \\u00XX");
	if (*p != '\\') {
		len = utf8_length(p, (size_t)(s->end - p));
		return len > 0 ? p + len : scan_fail(s, p, "invalid UTF-8");
	}
	if (s->end - p < 2)
		return scan_fail(s, p, "the text ends inside a string");
	if (p[1] == 'u')
		return read_unicode(s, p, key);
	if (escapes[p[1]] == '\0')
		return scan_fail(s, p, "unknown escape");
	return p + 2;
}

/* The value is the text as it stands. `escaped` says whether scan_unescape()
 * would change it, which is rare. */
const unsigned char *
scan_string(struct scan *s, const unsigned char *p, bool key,
	    struct scan_value *ret)
{
	const unsigned char *begin = p;

	ret->type = SCAN_STRING;
	ret->escaped = false;
	for (;;) {
		p = skip_plain(p, s->end);
		if (p == s->end)
			return scan_fail(s, p, "the text ends inside a string");
		if (*p == '"')
			break;
		if (*p == '\\')
			ret->escaped = true;
		if ((p = read_special(s, p, key)) == NULL)
			return NULL;
	}
	ret->text = (struct slice){(const char *)begin, (size_t)(p - begin)};
	return p + 1;
}

/* Writes a code point as UTF-8; returns its length. */
static size_t
put_utf8(char *out, unsigned int code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

/* Unescapes what is at the backslash *p, and moves *p behind it. The text was
 * checked by scan_string(), so there are no errors here. */
static size_t
put_unescaped(char *out, const unsigned char **p)
{
	const unsigned char *at = *p;
	unsigned int code;

	if (at[1] != 'u') {
		*p += 2;
		*out = escapes[at[1]];
		return 1;
	}
	*p += 6;
	code = (unsigned int)read_hex4(at + 2);
	if (is_surrogate((int)code)) {
		*p += 6;
		code = 0x10000 + ((code & 0x3FF) << 10) +
		       ((unsigned int)read_hex4(at + 8) & 0x3FF);
	}
	return put_utf8(out, code);
}

void
scan_unescape(const struct scan_value *string, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)string->text.p;
	const unsigned char *end = p + string->text.len;
	const unsigned char *run;

	/* No escape is shorter than what it stands for. */
	if (buf_reserve(out, string->text.len) != 0)
		return;
	while (p < end) {
		run = p;
		while (p < end && *p != '\\')
			p++;
		memcpy(out->data + out->len, run, (size_t)(p - run));
		out->len += (size_t)(p - run);
		if (p < end)
			out->len += put_unescaped(out->data + out->len, &p);
	}
	out->data[out->len] = '\0';
}

/* Appends the special character at p; returns what follows. */
static const unsigned char *
quote_special(struct buf *out, const unsigned char *p, const unsigned char *end)
{
	/* '/' need not be escaped, and is not. */
	static const char names[] = "\"\\bfnrt";
	const char *name;
	size_t len;

	if (*p >= 0x80) {
		if ((len = utf8_length(p, (size_t)(end - p))) == 0) {
			buf_adds(out, "\xEF\xBF\xBD");
			return p + 1;
		}
		buf_add(out, p, len);
		return p + len;
	}
	for (name = names; *name != '\0'; name++) {
		if (escapes[(unsigned char)*name] == (char)*p) {
			buf_addc(out, '\\');
			buf_addc(out, *name);
			return p + 1;
		}
	}
	buf_addf(out, "\\u%04x", *p);
	return p + 1;
}

/* Characters beyond ASCII are written as UTF-8 and not as \u: shorter, and what
 * a person can read in redis-cli. */
void
scan_quote(struct buf *out, struct slice text)
{
	const unsigned char *p = (const unsigned char *)text.p;
	const unsigned char *end = p + text.len;
	const unsigned char *run;

	buf_addc(out, '"');
	while (p < end) {
		run = p;
		p = skip_plain(p, end);
		buf_add(out, run, (size_t)(p - run));
		if (p < end)
			p = quote_special(out, p, end);
	}
	buf_addc(out, '"');
}
