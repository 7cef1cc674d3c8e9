/* SPDX-License-Identifier: MIT */
/* What --format and --json=FIELDS make of JSON: the first for a person, or a script
 * without jq(1), the second to have less of it. */
#include "format.h"

#include <stdlib.h>
#include <string.h>

#include "module/dump.h"
#include "table.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/utf8.h"
#include "verb.h"

/* Longer than any member's path. */
#define PATH_SIZE 128

/* The command line's. */
static const char *template, *fields;

int
format_choose(const char *format, const char *names, struct err *err)
{
	const char *p, *end;

	template = format;
	fields = names;
	for (p = format; p != NULL && *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '}')
			return err_set(
			    err, ERR_USAGE,
			    "--format: \"}\" without \"{\"; write \\}");
		else if (*p == '{') {
			end = p + 1 + strcspn(p + 1, "{}");
			if (*end != '}' || end == p + 1 || end - p > PATH_SIZE)
				return err_set(err, ERR_USAGE,
					       "--format \"%.32s\": write a "
					       "member as {NAME}",
					       p);
			p = end;
		}
	}
	return 0;
}

bool
format_is_chosen(void)
{
	return template != NULL || fields != NULL;
}

/* Copies a name of `len` bytes, at most PATH_SIZE - 1. */
static const char *
name_of(const char *p, size_t len, char name[PATH_SIZE])
{
	if (len >= PATH_SIZE)
		len = PATH_SIZE - 1;
	memcpy(name, p, len);
	name[len] = '\0';
	return name;
}

/* Returns what follows the member. */
static const char *
add_member(const char *p, const json_t *object, struct buf *out)
{
	const size_t len = strcspn(p, "}");
	struct column column = {.title = ""};
	char name[PATH_SIZE];

	column.path = name_of(p, len, name);
	add_cell(&column, object, out);
	return p + len + 1;
}

static void
add_line(const json_t *object, struct buf *out)
{
	const char *p = template;

	while (*p != '\0') {
		if (*p == '{') {
			p = add_member(p + 1, object, out);
		} else if (*p == '\\' && p[1] != '\0') {
			buf_addc(out, p[1] == 't'   ? '\t'
				      : p[1] == 'n' ? '\n'
						    : p[1]);
			p += 2;
		} else {
			buf_addc(out, *p++);
		}
	}
}

/* In the order in which they were named. */
static json_t *
pick(const json_t *object)
{
	json_t *picked = json_object();
	const char *p = fields;
	char name[PATH_SIZE];
	const json_t *value;
	size_t len;

	for (;; p += len + 1) {
		len = strcspn(p, ",");
		value = follow_path(object, name_of(p, len, name));
		json_object_set_new(picked, name,
				    value != NULL ? json_incref((json_t *)value)
						  : json_null());
		if (p[len] == '\0')
			return picked;
	}
}

static void
write_fields(const json_t *json, struct buf *out)
{
	json_t *picked = json_is_array(json) ? json_array() : pick(json);
	json_t *one;
	char *text;
	size_t i;

	json_array_foreach (json, i, one)
		json_array_append_new(picked, pick(one));
	if ((text = json_dumps(picked, dump_flags(picked))) != NULL)
		utf8_add_json(out, text, strlen(text));
	free(text);
	json_decref(picked);
}

void
format_write(const json_t *json, struct buf *out)
{
	json_t *one;
	size_t i;

	if (template == NULL) {
		write_fields(json, out);
	} else if (!json_is_array(json)) {
		add_line(json, out);
	} else {
		json_array_foreach (json, i, one) {
			if (i > 0)
				buf_addc(out, '\n');
			add_line(one, out);
		}
	}
}
