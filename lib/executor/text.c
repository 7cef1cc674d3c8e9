/* SPDX-License-Identifier: MIT */
/* Text that modules wrote, made fit to be sent. */
#include "executor/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes the UTF-8 sequence at `s` has, 0 if there is none. */
static size_t
sequence(const unsigned char *s)
{
	/* The second byte's range tells overlong forms, surrogates and what
	 * is beyond U+10FFFF (RFC 3629, section 4). */
	unsigned char least = 0x80, most = 0xbf;
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		least = 0xa0;
	else if (s[0] == 0xed)
		most = 0x9f;
	else if (s[0] == 0xf0)
		least = 0x90;
	else if (s[0] == 0xf4)
		most = 0x8f;
	if (s[1] < least || s[1] > most)
		return 0;
	/* Stops at the NUL, which is in no range. */
	for (i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return len;
}

void
text_clean(char *text)
{
	unsigned char *p;
	size_t len;

	for (p = (unsigned char *)text; *p != '\0'; p += len)
		if ((len = sequence(p)) == 0) {
			*p = '?';
			len = 1;
		}
}

char *
text_format(uint32_t max, const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) == -1)
		return NULL;
	if (strlen(text) > max)
		text[max] = '\0';
	text_clean(text);
	return text;
}
