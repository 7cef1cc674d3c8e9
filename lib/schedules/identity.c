/* SPDX-License-Identifier: MIT */
/*
 * What makes two schedules identical: a program that creates its schedules each
 * time it starts, or on each of its machines, must get one of each.
 *
 * It is a digest, in a column with a unique index, so that the database decides
 * between two that create at the same time; the texts themselves are too long
 * for an index of MySQL.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedules/row.h"
#include "util/err.h"
#include "util/sha.h"
#include "util/uuid.h"

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

#define ZONE_PREFIX "CRON_TZ="

/* Of an expression: the zone before it goes to the zone, and blanks are one. */
static void
plain_expression(const char *rule, struct buf *ret_rule, struct buf *ret_tz)
{
	const size_t before = ret_rule->len;
	size_t len;

	rule += strspn(rule, " \t");
	if (strncmp(rule, ZONE_PREFIX, sizeof(ZONE_PREFIX) - 1) == 0) {
		rule += sizeof(ZONE_PREFIX) - 1;
		len = strcspn(rule, " \t");
		if (ret_tz->len == 0 &&
		    (len != 3 || strncmp(rule, "UTC", 3) != 0))
			buf_add(ret_tz, rule, len);
		rule += len;
	}
	for (;; rule += len) {
		rule += strspn(rule, " \t");
		len = strcspn(rule, " \t");
		if (len == 0)
			break;
		if (ret_rule->len > before)
			buf_addc(ret_rule, ' ');
		buf_add(ret_rule, rule, len);
	}
}

void
schedules_plain_rule(const struct schedule *s, struct buf *ret_rule,
		     struct buf *ret_tz)
{
	if (s->tz != NULL && strcmp(s->tz, "UTC") != 0)
		buf_adds(ret_tz, s->tz);
	if (s->rule == NULL)
		return;
	if (s->type != SCHEDULE_CRON)
		buf_adds(ret_rule, s->rule);
	/* A rule with a zone of its own stands with none, or the same. */
	else
		plain_expression(s->rule, ret_rule, ret_tz);
}

static void
add_plain_rule(struct buf *out, const struct schedule *s)
{
	struct buf rule = BUF_INIT, tz = BUF_INIT;

	schedules_plain_rule(s, &rule, &tz);
	add_text(out, rule.data);
	add_text(out, tz.data);
	out->failed = out->failed || rule.failed || tz.failed;
	buf_done(&rule);
	buf_done(&tz);
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
	add_plain_rule(&all, s);
	result = add_json(&all, "args", s->args, "[]", JSON_ARRAY, err);
	if (result == 0)
		result =
		    add_json(&all, "kwargs", s->kwargs, "{}", JSON_OBJECT, err);
	/* What came later leaves the identity of those that do not have it. */
	if (result == 0 && s->workflow != NULL && s->workflow[0] != '\0')
		result = add_json(&all, "workflow", s->workflow, "{}",
				  JSON_OBJECT, err);
	if (result == 0 && all.failed)
		result = err_nomem(err);
	sha256((struct slice){all.data, all.len}, digest);
	sha_hex(digest, sizeof(digest), text);
	buf_done(&all);
	return result;
}

/* Columns that say what a schedule is and that no identity holds: all between
 * args and created_us but `enabled`. */
#define FIRST_SAID 7
#define LAST_SAID 26
#define ENABLED_COLUMN 9

int
schedules_definition_id(const struct schedule *s,
			char ret_id[SCHEDULE_ID_MAX + 1], struct err *err)
{
	unsigned char digest[SHA256_SIZE];
	struct db_value values[SQL_N_COLUMNS];
	char identity[ROW_IDENTITY_SIZE], uuid[UUID_TEXT_SIZE];
	struct buf all = BUF_INIT;
	bool failed;
	size_t i;

	if (row_identity(s, identity, err) != 0)
		return -1;
	add_text(&all, identity);
	row_write(s, values);
	for (i = FIRST_SAID; i <= LAST_SAID; i++)
		if (i == ENABLED_COLUMN)
			continue;
		else if (values[i].type == DB_INT)
			buf_addf(&all, "%" PRId64 "\n", values[i].i);
		else
			buf_addf(&all, "%zu:%.*s", values[i].s.len,
				 (int)values[i].s.len, values[i].s.p);
	/* What came later leaves the IDs of those that do not have it. */
	if (s->group != NULL && s->group[0] != '\0')
		buf_addf(&all, "group%zu:%s", strlen(s->group), s->group);
	sha256((struct slice){all.data, all.len}, digest);
	failed = all.failed;
	buf_done(&all);
	if (failed)
		return err_nomem(err);
	uuid_of_digest(digest, uuid);
	snprintf(ret_id, SCHEDULE_ID_MAX + 1, "%s", uuid);
	return 0;
}
