/* SPDX-License-Identifier: MIT */
/*
 * Text that modules wrote, made fit to be sent: errors and log lines end up in
 * JSON, which has to be UTF-8.
 */
#include "executor/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/utf8.h"

void
text_clean(char *text)
{
	const char *end = text + strlen(text);
	size_t len;

	for (; text < end; text += len)
		if ((len = utf8_length(text, (size_t)(end - text))) == 0) {
			*text = '?';
			len = 1;
		}
}

char *
text_format(uint32_t max, const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) == -1)
		return NULL;
	/* Cut first: half a character at the end becomes "?" like any other
	 * broken byte. */
	if (strlen(text) > max)
		text[max] = '\0';
	text_clean(text);
	return text;
}
