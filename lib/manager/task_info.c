/* SPDX-License-Identifier: MIT */
/*
 * What is told of a task that lies at the broker: its task info, as JSON.
 *
 * A task in a queue is bytes that another program may have written. So nothing
 * is taken for granted: what cannot be decoded is shown with the reason, and
 * what is not UTF-8 in another form, for an operator must be able to see what
 * blocks a queue.
 */
#include "manager/task_info.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/task_json.h"
#include "core/limit.h"
#include "core/task.h"
#include "manager/command_after.h"
#include "manager/member.h"
#include "util/err.h"

#define US_PER_MS 1000

/* Parts of a task that are JSON themselves; null if they are none. */
static json_t *
json_of(struct slice text)
{
	json_t *json = text.p != NULL ? load_json(text, NULL) : NULL;

	return json != NULL ? json : json_null();
}

/* Null for bytes that are not UTF-8: jansson has no string of them. */
static json_t *
text_of(struct slice text)
{
	json_t *json = text.p != NULL ? json_stringn(text.p, text.len) : NULL;

	return json != NULL ? json : json_null();
}

/* --- sorting ----------------------------------------------------------- */

/* The key is read once, not in each comparison. */
struct row {
	int64_t time_us; /* 0 sorts first: it has not begun */
	size_t position;
	json_t *info;
};

/* Those without the time come first: in a list by started_at they are the ones
 * that a worker has just claimed. qsort() keeps no order, so `position` does.
 */
static int
later_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if ((x->time_us == 0) != (y->time_us == 0))
		return x->time_us == 0 ? -1 : 1;
	if (x->time_us != y->time_us)
		return x->time_us > y->time_us ? -1 : 1;
	return x->position < y->position ? -1 : 1;
}

json_t *
task_info_newest(json_t *list, const char *time, size_t limit, struct err *err)
{
	const size_t n = json_array_size(list);
	struct row *rows = calloc(n + 1, sizeof(*rows));
	json_t *sorted = json_array();
	size_t i;

	if (rows == NULL || sorted == NULL) {
		err_nomem(err);
		json_decref(sorted);
		sorted = NULL;
	} else {
		for (i = 0; i < n; i++) {
			rows[i].info = json_array_get(list, i);
			rows[i].time_us = member_time_us(rows[i].info, time);
			rows[i].position = i;
		}
		qsort(rows, n, sizeof(*rows), later_first);
		for (i = 0; i < n && i < limit; i++)
			json_array_append(sorted, rows[i].info);
	}
	free(rows);
	json_decref(list);
	return sorted;
}

/* --- what has not ended ------------------------------------------------ */

/* In the shape of a record, so that lists of tasks that wait and of tasks that
 * ended have the same columns. */
static json_t *
task_info_of_task(const struct task *t, enum broker_location place,
		  const char *queue)
{
	/* As the record says it while a task waits for its retry. */
	const bool again = place == BROKER_DELAYED && t->current_retry > 0;

	json_t *info = json_pack(
	    "{s:s,s:s,s:s,s:n,s:n,s:o,s:n,s:n,s:I,s:o,s:o,s:s,s:i}", "task_id",
	    t->id, "status", again ? "retrying" : "pending", "task_name",
	    t->name, "result", "error", "submitted_at",
	    member_of_time(t->submitted_us), "started_at", "finished_at",
	    "retries", (json_int_t)t->current_retry, "args", json_of(t->args),
	    "kwargs", json_of(t->kwargs), "queue", queue, "priority",
	    (int)t->priority);

	/* As in records, only where there is one. */
	if (t->parent.len > 0)
		json_object_set_new(info, "parent", json_of(t->parent));
	if (t->root.len > 0)
		json_object_set_new(info, "root", json_of(t->root));
	return info;
}

/* Its member of that name, if it is of that type. */
static json_t *
part_of(const json_t *object, const char *name, json_type type)
{
	json_t *part = json_object_get(object, name);

	return part != NULL && json_typeof(part) == type ? json_incref(part)
							 : NULL;
}

/* What can be shown of a task that no worker takes, in the same shape. The
 * reason stands where an error does. `task` may be NULL. */
static json_t *
task_info_of_unreadable(const struct broker_item *item, const struct task *task,
			const char *why, const char *queue)
{
	const bool named = task != NULL && *task->name != '\0';
	json_t *whole = load_json(item->bytes, NULL), *info;
	json_t *args = part_of(whole, "args", JSON_ARRAY);
	json_t *kwargs = part_of(whole, "kwargs", JSON_OBJECT);
	json_t *submitted = part_of(whole, "submitted_at", JSON_STRING);

	info =
	    json_pack("{s:s?,s:s,s:s?,s:n,s:o,s:o,s:n,s:n,s:i,s:o,s:o,s:s,s:i}",
		      "task_id", task != NULL ? task->id : NULL, "status",
		      "pending", "task_name", named ? task->name : NULL,
		      "result", "error", member_of_text(why), "submitted_at",
		      submitted != NULL ? submitted : json_null(), "started_at",
		      "finished_at", "retries", 0, "args",
		      args != NULL ? args : json_array(), "kwargs",
		      kwargs != NULL ? kwargs : json_object(), "queue", queue,
		      "priority", 0);
	json_decref(whole);
	return info;
}

/* One that waits for others is due at no time. */
int
task_info_set_due(json_t *info, const struct broker_item *item)
{
	json_t *after = command_after_json(item->info);

	if (after == NULL)
		return json_object_set_new(
		    info, "due_at", member_of_time(item->time_ms * US_PER_MS));
	return json_object_set_new(info, "due_at", json_null()) |
	       json_object_set_new(info, "after", after);
}

/* "task NAME" or "group KEY"; null: it is between two limits. */
static json_t *
text_of_limit(struct slice scope)
{
	struct limit_rule rule;

	if (!limit_scope_read(scope, &rule) || rule.key.len == 0)
		return json_null();
	return json_sprintf("%s %.*s",
			    rule.kind == LIMIT_TASK ? "task" : "group",
			    (int)rule.key.len, rule.key.p);
}

json_t *
task_info_of(const struct broker_item *item, enum broker_location place,
	     const char *queue)
{
	struct err err;
	struct task *task = load_task(item, &err);
	json_t *info;

	if (err.code == ERR_NONE)
		info = task_info_of_task(task, place, queue);
	else
		info = task_info_of_unreadable(item, task, err.msg, queue);
	task_free(task);
	if (place == BROKER_DELAYED)
		task_info_set_due(info, item);
	if (place == BROKER_IN_FLIGHT)
		json_object_set_new(info, "worker", text_of(item->worker));
	if (place == BROKER_WAITING && item->held) {
		json_object_set_new(info, "limited", json_true());
		json_object_set_new(info, "limit", text_of_limit(item->limit));
	}
	return info;
}

/* --- the dead ---------------------------------------------------------- */

/* What the worker noted is copied as it is; members that it does not have are
 * null. */
json_t *
task_info_of_dead(const struct broker_item *item, const char *queue)
{
	static const char *const names[] = {"reason", "error", "worker",
					    "attempts"},
				 *const ends[] = {"exit_code", "signal"};
	json_t *noted = json_of(item->info), *info, *value;
	struct err why;
	struct task *task = load_task(item, &why);
	const bool named = task != NULL && *task->name != '\0';
	size_t i;

	info = json_pack("{s:o,s:s?,s:s?,s:s,s:o}", "key", text_of(item->key),
			 "task_id", task != NULL ? task->id : NULL, "task_name",
			 named ? task->name : NULL, "queue", queue, "died_at",
			 member_of_time(item->time_ms * US_PER_MS));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = json_object_get(noted, names[i]);
		json_object_set_new(info, names[i],
				    value != NULL ? json_incref(value)
						  : json_null());
	}
	/* Of commands only. */
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if ((value = json_object_get(noted, ends[i])) != NULL)
			json_object_set(info, ends[i], value);
	json_decref(noted);
	task_free(task);
	return info;
}

/* For bytes that are not a text. */
static json_t *
base64(struct slice bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)bytes.p;
	struct buf out = BUF_INIT;
	size_t i, left;
	unsigned int n;
	json_t *json;

	for (i = 0; i < bytes.len; i += 3) {
		left = bytes.len - i;
		n = (unsigned int)p[i] << 16 |
		    (left > 1 ? (unsigned int)p[i + 1] << 8 : 0) |
		    (left > 2 ? p[i + 2] : 0);
		buf_addc(&out, digits[n >> 18]);
		buf_addc(&out, digits[n >> 12 & 63]);
		buf_addc(&out, left > 1 ? digits[n >> 6 & 63] : '=');
		buf_addc(&out, left > 2 ? digits[n & 63] : '=');
	}
	json = out.failed ? NULL : json_stringn(out.data, out.len);
	buf_done(&out);
	return json;
}

int
task_info_set_bytes(json_t *object, struct slice bytes)
{
	/* NULL if the bytes are not UTF-8. */
	json_t *text = json_stringn(bytes.p, bytes.len);

	return text != NULL
		   ? json_object_set_new(object, "bytes", text)
		   : json_object_set_new(object, "bytes_base64", base64(bytes));
}

/* The value of a digit; -1: none. */
static int
base64_value(char c)
{
	const char *at = c != '\0'
			     ? strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789+/",
				      c)
			     : NULL;

	if (at == NULL)
		return -1;
	return c >= 'a' && c <= 'z'   ? c - 'a' + 26
	       : c >= 'A' && c <= 'Z' ? c - 'A'
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'	      ? 62
				      : 63;
}

/* Four digits are three bytes, or with "=" at the end, fewer. */
static int
base64_read(const char *text, struct buf *out)
{
	unsigned int bits = 0, n = 0;
	int value;

	for (; *text != '\0' && *text != '='; text++) {
		if ((value = base64_value(*text)) < 0)
			return -1;
		bits = bits << 6 | (unsigned int)value;
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_addc(out, (char)(bits >> n & 255));
		}
	}
	return text[strspn(text, "=")] == '\0' ? 0 : -1;
}

int
task_info_get_bytes(const json_t *object, struct buf *out, struct err *err)
{
	const json_t *text = json_object_get(object, "bytes");
	const char *coded = member_text(object, "bytes_base64");

	if (json_is_string(text))
		buf_add(out, json_string_value(text), json_string_length(text));
	else if (coded == NULL)
		return err_set(err, ERR_DATA,
			       "missing \"bytes\" or \"bytes_base64\"");
	else if (base64_read(coded, out) != 0)
		return err_set(err, ERR_DATA, "\"bytes_base64\" is not Base64");
	return out->failed ? err_nomem(err) : 0;
}

int
task_info_add_bytes(json_t *task_info, const struct broker_item *item)
{
	json_t *info = json_of(item->info), *task = json_of(item->bytes);
	int status = 0;

	if (!json_is_object(task)) {
		json_decref(task);
		task = json_null();
	}
	status |= json_object_set_new(task_info, "info", info);
	status |= json_object_set_new(task_info, "task", task);
	status |= task_info_set_bytes(task_info, item->bytes);
	return status == 0 ? 0 : -1;
}
