/* SPDX-License-Identifier: MIT */
/* Words of commands as JSON: their bytes come back as they were. */
#include "codec/word.h"

#include <stdbool.h>
#include <string.h>

#include "codec/scan.h"
#include "util/err.h"
#include "util/utf8.h"

static const char word_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool
word_is_utf8(struct slice word)
{
	size_t i, len;

	for (i = 0; i < word.len; i += len)
		if ((len = utf8_length(word.p + i, word.len - i)) == 0)
			return false;
	return true;
}

/* Three bytes become four digits; what is missing of the last three is padded,
 * as RFC 4648 wants. */
static void
word_write_base64(struct slice word, struct buf *out)
{
	unsigned int bits, have;
	size_t i, k;

	for (i = 0; i < word.len; i += 3) {
		bits = 0;
		have = word.len - i < 3 ? (unsigned int)(word.len - i) : 3;
		for (k = 0; k < 3; k++)
			bits = bits << 8 |
			       (k < have ? (unsigned char)word.p[i + k] : 0);
		for (k = 0; k < 4; k++)
			buf_addc(out,
				 k <= have
				     ? word_digits[bits >> (18 - 6 * k) & 63]
				     : '=');
	}
}

void
word_write(struct slice word, struct buf *out)
{
	if (word_is_utf8(word)) {
		scan_quote(out, word);
		return;
	}
	buf_adds(out, "{\"base64\":\"");
	word_write_base64(word, out);
	buf_adds(out, "\"}");
}

/* Digits in fours, the last of which may be padded; bits that are left over must
 * be zero, so that equal bytes have one text. */
static int
word_read_base64(const char *text, struct buf *out)
{
	const size_t len = strlen(text), n = strcspn(text, "=");
	unsigned int bits = 0, have = 0;
	const char *digit;
	size_t i;

	if (len % 4 != 0 || len - n > 2 || strspn(text + n, "=") != len - n)
		return -1;
	for (i = 0; i < n; i++) {
		if ((digit = strchr(word_digits, text[i])) == NULL)
			return -1;
		bits = bits << 6 | (unsigned int)(digit - word_digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_addc(out, (char)(bits >> have));
			bits &= (1u << have) - 1;
		}
	}
	return bits == 0 ? 0 : -1;
}

int
word_read(const json_t *json, struct buf *out, struct err *err)
{
	const size_t before = out->len;
	const json_t *bytes = json_object_get(json, "base64");

	if (json_is_string(json))
		buf_add(out, json_string_value(json), json_string_length(json));
	else if (!json_is_string(bytes) || json_object_size(json) != 1 ||
		 word_read_base64(json_string_value(bytes), out) != 0)
		return err_set(err, ERR_DATA,
			       "a word is a string or {\"base64\": \"…\"}");
	if (out->len > before &&
	    memchr(out->data + before, '\0', out->len - before) != NULL)
		return err_set(err, ERR_DATA, "a word cannot have a NUL in it");
	return 0;
}
