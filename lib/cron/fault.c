/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with an expression, in words. People write expressions by hand:
 * a message says where (field and column), what, and how to write it instead.
 */
#include "cron/field.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/err.h"

/* As CRON_HINT_MAX, it keeps a message within ERR_MSG_MAX, and on one line or
 * two. */
#define TOKEN_MAX 40

static const char *const texts[] = {
#define X(code, text) [CRON_##code] = (text),
    CRON_FAULTS(X)
#undef X
};

/* Copies a token so that a message stays one short line. */
static void
copy_token(const char *from, const char *to, char token[TOKEN_MAX + 4])
{
	size_t n = 0;

	for (; from < to && n < TOKEN_MAX; from++)
		token[n++] = *from >= ' ' && *from <= '~' ? *from : '?';
	snprintf(token + n, 4, "%s", from < to ? "..." : "");
}

int
scan_fault(const struct scan *s, enum cron_fault_code code, const char *from,
	   const char *to, const char *hint, ...)
{
	const char *field = s->field < FIELDS ? fields[s->field].name : NULL;
	size_t column = (size_t)(from - s->text) + 1;
	char token[TOKEN_MAX + 4];
	char advice[CRON_HINT_MAX];
	va_list args;

	/* Nothing is there to be shown: the whole field is. */
	if (from == to)
		copy_token(s->start, s->stop, token);
	else
		copy_token(from, to, token);
	va_start(args, hint);
	vsnprintf(advice, sizeof(advice), hint, args);
	va_end(args);
	if (s->fault != NULL) {
		*s->fault = (struct cron_fault){.code = code,
						.field = field,
						.column = column,
						.len = (size_t)(to - from)};
		memcpy(s->fault->hint, advice, sizeof(advice));
	}
	return err_set(
	    s->err, ERR_DATA, "cron expression: %s%scolumn %zu, \"%s\": %s; %s",
	    field != NULL ? field : "", field != NULL ? " field, " : "", column,
	    token, texts[code], advice);
}
