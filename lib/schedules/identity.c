/* SPDX-License-Identifier: MIT */
/*
 * What makes two schedules identical: a program that creates its schedules each
 * time it starts, or on each of its machines, must get one of each.
 *
 * It is a digest, in a column with a unique index, so that the database decides
 * between two that create at the same time; the texts themselves are too long
 * for an index of MySQL.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/row.h"
#include "util/err.h"
#include "util/sha.h"

/* Appends JSON in the one way of writing it; "[]" for nothing. */
static int
add_json(struct buf *out, const char *name, const char *text, const char *empty,
	 json_type type, struct err *err)
{
	json_error_t error;
	json_t *json;
	char *plain;

	if (text == NULL || text[0] == '\0')
		text = empty;
	json =
	    json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json == NULL)
		return err_set(err, ERR_DATA,
			       "schedule: %s is not valid JSON: %s", name,
			       error.text);
	if (json_typeof(json) != type) {
		json_decref(json);
		return err_set(err, ERR_DATA, "schedule: %s must be a JSON %s",
			       name, type == JSON_ARRAY ? "array" : "object");
	}
	/* Members in one order and without blanks: equal in JSON's terms is
	 * then equal in bytes. */
	plain = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
	json_decref(json);
	if (plain == NULL)
		return err_nomem(err);
	buf_add(out, plain, strlen(plain) + 1);
	free(plain);
	return 0;
}

/* Each text ends in a NUL: "ab" and "c" are not "a" and "bc". */
static void
add_text(struct buf *out, const char *text)
{
	if (text != NULL)
		buf_adds(out, text);
	buf_addc(out, '\0');
}

/* Queue, settings and description do not count: a program that changes one of
 * them would get a second schedule beside the first, and each task twice. */
int
row_identity(const struct schedule *s, char text[ROW_IDENTITY_SIZE],
	     struct err *err)
{
	unsigned char digest[SHA256_SIZE];
	struct buf all = BUF_INIT;
	int result;

	add_text(&all, s->task);
	add_text(&all, schedule_type_name(s->type));
	add_text(&all, s->rule);
	add_text(&all, s->tz);
	result = add_json(&all, "args", s->args, "[]", JSON_ARRAY, err);
	if (result == 0)
		result =
		    add_json(&all, "kwargs", s->kwargs, "{}", JSON_OBJECT, err);
	if (result == 0 && all.failed)
		result = err_nomem(err);
	sha256((struct slice){all.data, all.len}, digest);
	sha_hex(digest, sizeof(digest), text);
	buf_done(&all);
	return result;
}
