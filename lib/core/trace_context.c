/* SPDX-License-Identifier: MIT */
/*
 * Trace Context, by sections 3.2 and 3.3 of the Recommendation (level 1, with the
 * keys of level 2).
 *
 * The version is not that of the rest: a reader takes what it knows of a later
 * one, and writes its own.
 */
#include "core/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "util/err.h"
#include "util/uuid.h"

/* Where the parts of a traceparent begin. */
#define AT_TRACE 3
#define AT_SPAN 36
#define AT_FLAGS 53
/* The list of tracestate. */
#define MEMBERS_MAX 32
#define KEY_MAX 256
#define VALUE_MAX 256

static bool
is_hex(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!((p[i] >= '0' && p[i] <= '9') ||
		      (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return true;
}

/* What stands for none. */
static bool
is_zero(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && p[i] == '0'; i++)
		continue;
	return i == n;
}

/* Version ff is forbidden; 00 has nothing behind its flags, a later one may have
 * more behind a hyphen. */
static bool
has_form(struct slice t)
{
	if (t.len < TRACEPARENT_LEN || t.len > TRACEPARENT_MAX ||
	    t.p[2] != '-' || t.p[AT_SPAN - 1] != '-' ||
	    t.p[AT_FLAGS - 1] != '-' || !is_hex(t.p, 2) ||
	    memcmp(t.p, "ff", 2) == 0)
		return false;
	if (t.len > TRACEPARENT_LEN)
		return memcmp(t.p, "00", 2) != 0 && t.p[TRACEPARENT_LEN] == '-';
	return true;
}

bool
trace_context_read(struct slice text, struct trace_context *ret)
{
	const char *trace, *span, *flags;

	if (!has_form(text))
		return false;
	trace = text.p + AT_TRACE;
	span = text.p + AT_SPAN;
	flags = text.p + AT_FLAGS;
	if (!is_hex(trace, TRACE_ID_LEN) || !is_hex(span, SPAN_ID_LEN) ||
	    !is_hex(flags, 2) || is_zero(trace, TRACE_ID_LEN) ||
	    is_zero(span, SPAN_ID_LEN))
		return false;
	memcpy(ret->trace_id, trace, TRACE_ID_LEN);
	memcpy(ret->span_id, span, SPAN_ID_LEN);
	/* The lowest bit: other flags are of other versions. */
	ret->sampled = strchr("13579bdf", flags[1]) != NULL;
	return true;
}

int
traceparent_check(const char *text, struct err *err)
{
	struct trace_context context;

	if (trace_context_read(slice_of(text), &context))
		return 0;
	return err_set(err, ERR_DATA,
		       "traceparent \"%.64s\" is not valid: "
		       "00-TRACE_ID-PARENT_ID-FLAGS, of 32, 16 and 2 "
		       "lower-case hexadecimal digits",
		       text);
}

void
trace_context_write(const struct trace_context *c, char text[TRACEPARENT_SIZE])
{
	snprintf(text, TRACEPARENT_SIZE, "00-%.*s-%.*s-%s", TRACE_ID_LEN,
		 c->trace_id, SPAN_ID_LEN, c->span_id,
		 c->sampled ? "01" : "00");
}

/* 122 bits of a random UUID are random, and its version makes it other than 0. */
void
trace_make_trace_id(char id[TRACE_ID_LEN])
{
	char uuid[UUID_TEXT_SIZE];
	size_t i, n = 0;

	uuid_make_random(uuid);
	for (i = 0; uuid[i] != '\0'; i++)
		if (uuid[i] != '-')
			id[n++] = uuid[i];
}

/* The second half, of which two bits are fixed. */
void
trace_make_span_id(char id[SPAN_ID_LEN])
{
	char trace[TRACE_ID_LEN];

	trace_make_trace_id(trace);
	memcpy(id, trace + TRACE_ID_LEN - SPAN_ID_LEN, SPAN_ID_LEN);
}

/* --- tracestate -------------------------------------------------------- */

/* Keys begin with a lower-case letter or a digit; "tenant@system" has one "@". */
static bool
is_key(const char *p, size_t len)
{
	size_t i, ats = 0;

	if (len == 0 || len > KEY_MAX)
		return false;
	for (i = 0; i < len; i++) {
		const bool first = i == 0 || p[i - 1] == '@';

		if ((p[i] >= 'a' && p[i] <= 'z') ||
		    (p[i] >= '0' && p[i] <= '9'))
			continue;
		if (first || strchr("_-*/@", p[i]) == NULL)
			return false;
		ats += p[i] == '@';
	}
	return ats <= 1 && p[len - 1] != '@';
}

/* Printable ASCII without "," and "="; no blank at the end. */
static bool
is_value(const char *p, size_t len)
{
	size_t i;

	if (len == 0 || len > VALUE_MAX || p[len - 1] == ' ')
		return false;
	for (i = 0; i < len; i++)
		if (p[i] < ' ' || p[i] > '~' || p[i] == ',' || p[i] == '=')
			return false;
	return true;
}

static bool
is_member(const char *p, size_t len)
{
	const char *equals = memchr(p, '=', len);
	const size_t key = equals != NULL ? (size_t)(equals - p) : 0;

	return equals != NULL && is_key(p, key) &&
	       is_value(equals + 1, len - key - 1);
}

/* Blanks around a member are none of it, and a member may be empty. */
bool
tracestate_valid(struct slice t)
{
	const char *p = t.p, *const end = t.p + t.len, *comma, *last;
	size_t n = 0;

	if (t.len == 0 || t.len > TRACESTATE_MAX ||
	    memchr(t.p, '\0', t.len) != NULL)
		return false;
	for (; p <= end; p = comma + 1) {
		comma = memchr(p, ',', (size_t)(end - p));
		comma = comma != NULL ? comma : end;
		while (p < comma && (*p == ' ' || *p == '\t'))
			p++;
		for (last = comma;
		     last > p && (last[-1] == ' ' || last[-1] == '\t'); last--)
			continue;
		if (last == p)
			continue;
		if (++n > MEMBERS_MAX || !is_member(p, (size_t)(last - p)))
			return false;
	}
	return n > 0;
}
