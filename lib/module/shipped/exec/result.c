/* SPDX-License-Identifier: MIT */
/*
 * What a command's standard output means: a JSON value if it is one, else text.
 * So a script can return a number or an object by printing it, and `date` works
 * without any care.
 */
#include "module/shipped/exec/result.h"

#include <stdbool.h>
#include <string.h>

#include "util/utf8.h"

/* No task or result may be deeper (core/task.h). */
#define DEPTH_MAX 500

/* A value that is deeper than a record may be is kept as text. */
static bool
too_deep(const json_t *value, int room)
{
	const json_t *member;
	const char *key;
	size_t i;

	if (room == 0)
		return json_is_object(value) || json_is_array(value);
	if (json_is_object(value))
		json_object_foreach ((json_t *)value, key, member)
			if (too_deep(member, room - 1))
				return true;
	json_array_foreach (value, i, member)
		if (too_deep(member, room - 1))
			return true;
	return false;
}

/* One line break at the end is taken off, as a shell's $(…) does. */
static json_t *
as_text(struct slice output)
{
	struct buf text = BUF_INIT;
	json_t *string = NULL;

	if (output.len > 0 && output.p[output.len - 1] == '\n')
		output.len--;
	utf8_add(&text, output.p, output.len);
	if (!text.failed)
		string = json_stringn(text.data ? text.data : "", text.len);
	buf_done(&text);
	return string;
}

static void
add_compact(struct buf *out, struct slice json)
{
	const char *p = json.p, *end = json.p + json.len;
	bool in_string = false;

	for (; p < end; p++) {
		if (!in_string && strchr(" \t\r\n", *p) != NULL)
			continue;
		buf_addc(out, *p);
		if (in_string && *p == '\\')
			buf_addc(out, *++p);
		else if (*p == '"')
			in_string = !in_string;
	}
}

/* Called for what is JSON: no byte of it is NUL, and a backslash is not the
 * last one. */
void
result_exact(struct slice output, struct buf *text)
{
	json_t *value =
	    json_loadb(output.p, output.len,
		       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

	if (value != NULL && !too_deep(value, DEPTH_MAX))
		add_compact(text, output);
	json_decref(value);
}

json_t *
result_json(struct slice output)
{
	json_t *value;

	if (output.len == 0)
		return json_null();
	value = json_loadb(output.p, output.len, JSON_DECODE_ANY, NULL);
	if (value == NULL || !too_deep(value, DEPTH_MAX))
		return value;
	json_decref(value);
	return NULL;
}

/* A control character is six times as long in JSON: how much fits is found by
 * trying, with what a part of it has needed. */
json_t *
result_text(struct slice output, size_t max, size_t *ret_used)
{
	struct slice part = output;
	json_t *text;
	size_t len;

	for (;;) {
		if ((text = as_text(part)) == NULL)
			return NULL;
		len = json_dumpb(text, NULL, 0, JSON_ENCODE_ANY);
		if (len <= max || part.len == 0)
			break;
		json_decref(text);
		part.len = utf8_cut(output.p, output.len,
				    (size_t)((double)part.len * (double)max /
					     (double)len * 0.99));
	}
	*ret_used = part.len;
	return text;
}
