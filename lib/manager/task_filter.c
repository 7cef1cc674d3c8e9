/* SPDX-License-Identifier: MIT */
/*
 * Which tasks are meant.
 *
 * A list holds the filter against up to 10,000 tasks in one step, so that each
 * test is made only if the filter needs it, the cheap ones first; arguments,
 * which have to be parsed, last.
 */
#include "manager/task_filter.h"

#include <stdlib.h>
#include <string.h>

#include "client/load.h"
#include "codec/result_json.h"
#include "codec/task_json.h"
#include "core/result.h"
#include "core/task.h"
#include "manager/member.h"
#include "util/err.h"
#include "util/fnv.h"

/* --- checks ------------------------------------------------------------ */

/* Texts are searched for in each task that is looked at: their length bounds
 * what a question costs. */
static int
filter_check_text(const char *text, const char *what, struct err *err)
{
	if (text == NULL || strlen(text) <= TASK_FILTER_TEXT_MAX)
		return 0;
	return err_set(err, ERR_DATA, "%s: longer than %d bytes", what,
		       TASK_FILTER_TEXT_MAX);
}

/* An argument needs its root: "id" alone could be meant of either. */
static int
filter_check_arg(const struct task_arg *arg, struct err *err)
{
	const char *name = NULL;

	if (strncmp(arg->path, "args.", 5) == 0)
		name = arg->path + 5;
	else if (strncmp(arg->path, "kwargs.", 7) == 0)
		name = arg->path + 7;
	if (name == NULL || *name == '\0')
		return err_set(err, ERR_DATA,
			       "\"%.64s\": not an argument; begin with args. "
			       "or kwargs., as in kwargs.user.id",
			       arg->path);
	if (filter_check_text(arg->path, "an argument's name", err) != 0 ||
	    filter_check_text(arg->value, "an argument's value", err) != 0)
		return -1;
	return 0;
}

/* -1 where the digits are not 0 to 255. */
static long
exit_code_of(const char *digits)
{
	const size_t len = strspn(digits, "0123456789");
	long code;

	if (len == 0 || len > 3 || digits[len] != '\0')
		return -1;
	code = strtol(digits, NULL, 10);
	return code <= 255 ? code : -1;
}

int
task_filter_check(const struct task_filter *f, struct err *err)
{
	size_t i;

	if (f->n_args > TASK_FILTER_ARGS_MAX)
		return err_set(err, ERR_DATA, "more than %d arguments",
			       TASK_FILTER_ARGS_MAX);
	for (i = 0; i < f->n_args; i++)
		if (filter_check_arg(&f->args[i], err) != 0)
			return -1;
	if (f->after_us != 0 && f->before_us != 0 &&
	    f->after_us >= f->before_us)
		return err_set(err, ERR_DATA,
			       "nothing is both after and before those times");
	if (filter_check_text(f->task, "task", err) != 0 ||
	    filter_check_text(f->root, "root", err) != 0 ||
	    filter_check_text(f->worker, "worker", err) != 0 ||
	    filter_check_text(f->error, "error", err) != 0 ||
	    filter_check_text(f->reason, "reason", err) != 0)
		return -1;
	if (f->exit_code != NULL && exit_code_of(f->exit_code) < 0)
		return err_set(err, ERR_DATA,
			       "\"%.16s\" is not an exit code: 0 to 255",
			       f->exit_code);
	return 0;
}

/* The queue does not count: lists are of a queue anyway. */
bool
task_filter_is_any(const struct task_filter *f)
{
	return f->task == NULL && f->worker == NULL && f->error == NULL &&
	       f->reason == NULL && f->exit_code == NULL && f->after_us == 0 &&
	       f->before_us == 0 && f->n_args == 0 && f->root == NULL;
}

/* With its length or, for NULL, another number, so that texts cannot run into
 * one another. */
static uint64_t
hash_text(uint64_t hash, const char *text)
{
	const size_t len = text != NULL ? strlen(text) + 1 : 0;

	return fnv_64((hash ^ len) * FNV_PRIME_64, (struct slice){text, len});
}

/* Byte by byte, the lowest first, on any machine: a cursor may be used on
 * another one. */
static uint64_t
hash_number(uint64_t hash, int64_t number)
{
	int i;

	for (i = 0; i < 64; i += 8)
		hash = (hash ^ ((uint64_t)number >> i & 255)) * FNV_PRIME_64;
	return hash;
}

uint64_t
task_filter_hash(const struct task_filter *f, uint64_t seed)
{
	uint64_t hash = hash_number(FNV_BASIS_64, (int64_t)seed);
	size_t i;

	hash = hash_text(hash, f->queue);
	hash = hash_text(hash, f->task);
	hash = hash_text(hash, f->worker);
	hash = hash_text(hash, f->error);
	hash = hash_text(hash, f->reason);
	/* Without one, the same as before there was this filter. */
	if (f->exit_code != NULL)
		hash = hash_text(hash, f->exit_code);
	if (f->root != NULL)
		hash = hash_text(hash_number(hash, 'r'), f->root);
	hash = hash_number(hash, f->after_us);
	hash = hash_number(hash, f->before_us);
	for (i = 0; i < f->n_args; i++) {
		hash = hash_text(hash, f->args[i].path);
		hash = hash_text(hash, f->args[i].value);
	}
	return hash;
}

/* --- arguments --------------------------------------------------------- */

/* A string is its text; all else is what the text means as JSON, so that 1 and
 * 1.0 are the same. */
static bool
value_is(const json_t *value, const char *text)
{
	json_t *wanted;
	bool same;

	if (json_is_string(value))
		return json_string_length(value) == strlen(text) &&
		       strcmp(json_string_value(value), text) == 0;
	wanted = json_loads(text, JSON_DECODE_ANY, NULL);
	if (json_is_number(value) && json_is_number(wanted) &&
	    json_typeof(value) != json_typeof(wanted))
		same = json_number_value(value) == json_number_value(wanted);
	else
		same = wanted != NULL && json_equal(value, wanted);
	json_decref(wanted);
	return same;
}

/* A place in an array; SIZE_MAX: that is not a number. */
static size_t
index_of(const char *text, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || n > 100000000)
			return SIZE_MAX;
		n = n * 10 + (size_t)(text[i] - '0');
	}
	return len > 0 ? n : SIZE_MAX;
}

/* Follows the path as far as it goes. A name that has dots itself is found at
 * the end of a path only. */
static bool
path_leads_to(const json_t *value, const char *path, const char *text)
{
	char name[TASK_FILTER_TEXT_MAX + 1];
	const json_t *whole;
	size_t len;

	while (value != NULL) {
		if ((whole = json_object_get(value, path)) != NULL)
			return value_is(whole, text);
		len = strcspn(path, ".");
		if (len > TASK_FILTER_TEXT_MAX)
			return false;
		memcpy(name, path, len);
		name[len] = '\0';
		/* NULL, too, where it is neither. */
		value = json_is_array(value)
			    ? json_array_get(value, index_of(path, len))
			    : json_object_get(value, name);
		if (path[len] == '\0')
			return value != NULL && value_is(value, text);
		path += len + 1;
	}
	return false;
}

/* "args.": a number is a place among the positional arguments; any other name
 * is looked for in the keyword arguments and in each positional one that is an
 * object, since people do not know which way the task was called. */
static bool
any_leads_to(const json_t *args, const json_t *kwargs, const char *path,
	     const char *text)
{
	json_t *one;
	size_t i;

	if (index_of(path, strcspn(path, ".")) != SIZE_MAX)
		return path_leads_to(args, path, text);
	if (path_leads_to(kwargs, path, text))
		return true;
	json_array_foreach (args, i, one)
		if (json_is_object(one) && path_leads_to(one, path, text))
			return true;
	return false;
}

/* Arguments that cannot be parsed are left out, and match nothing. */
static void
args_put(json_t *both, const char *name, struct slice text)
{
	json_t *value = text.p != NULL ? load_json(text, NULL) : NULL;

	if (value != NULL)
		json_object_set_new(both, name, value);
}

/* Both parts are parsed once, for all that is asked of them. */
static bool
args_match(const struct task_filter *f, struct slice args, struct slice kwargs)
{
	const json_t *list, *members;
	bool matches = true;
	json_t *both;
	size_t i;

	if (f->n_args == 0)
		return true;
	both = json_object();
	args_put(both, "args", args);
	args_put(both, "kwargs", kwargs);
	if (f->show != NULL)
		f->show(both, f->show_arg);
	list = json_object_get(both, "args");
	members = json_object_get(both, "kwargs");
	for (i = 0; i < f->n_args && matches; i++)
		matches = f->args[i].path[0] == 'k'
			      ? path_leads_to(members, f->args[i].path + 7,
					      f->args[i].value)
			      : any_leads_to(list, members, f->args[i].path + 5,
					     f->args[i].value);
	json_decref(both);
	return matches;
}

/* --- tests ------------------------------------------------------------- */

/* NULL is any text. */
static bool
is_text(struct slice text, const char *wanted)
{
	return wanted == NULL || slice_eq(text, slice_of(wanted));
}

/* NULL is found in any text, also where there is none. */
static bool
has_text(struct slice text, const char *wanted)
{
	return wanted == NULL ||
	       (text.p != NULL &&
		memmem(text.p, text.len, wanted, strlen(wanted)) != NULL);
}

/* A JSON string whose text is that. The only characters of an ID that JSON escapes
 * are quotes and backslashes. */
static bool
is_quoted(struct slice json, const char *text)
{
	const char *p = json.p, *end = json.p + json.len - 1;

	if (json.len < 2 || *p++ != '"')
		return false;
	for (; p < end && *text != '\0'; p++, text++) {
		if (*p == '\\')
			p++;
		if (*p != *text)
			return false;
	}
	return p == end && *text == '\0';
}

static bool
is_of_root(const struct task_filter *f, struct slice id, struct slice root)
{
	return f->root == NULL || slice_eq(id, slice_of(f->root)) ||
	       is_quoted(root, f->root);
}

/* The error holds the text, in what may be seen of it. */
static bool
has_error(const struct task_filter *f, struct slice error)
{
	json_t *shown;
	const char *text;
	bool has;

	if (!has_text(error, f->error))
		return false;
	if (f->show == NULL || f->error == NULL)
		return true;
	shown = json_pack("{s:s%}", "error", error.p, error.len);
	if (shown != NULL)
		f->show(shown, f->show_arg);
	text = json_string_value(json_object_get(shown, "error"));
	has = text != NULL && strstr(text, f->error) != NULL;
	json_decref(shown);
	return has;
}

/* A time that is not known (0) is not before any other. */
bool
task_filter_time(const struct task_filter *f, int64_t time_us)
{
	return (f->after_us == 0 || time_us > f->after_us) &&
	       (f->before_us == 0 || (time_us != 0 && time_us < f->before_us));
}

/* A task that cannot be read has no name and no arguments, so it matches
 * neither. */
bool
task_filter_item(const struct task_filter *f, const struct broker_item *item)
{
	struct task *task;
	struct err why;
	bool matches;

	if (item->worker.len > 0 && !is_text(item->worker, f->worker))
		return false;
	if (f->task == NULL && f->n_args == 0 && f->root == NULL)
		return true;
	if ((task = load_task(item, &why)) == NULL)
		return false;
	matches = is_text(slice_of(task->name), f->task) &&
		  is_of_root(f, slice_of(task->id), task->root) &&
		  args_match(f, task->args, task->kwargs);
	task_free(task);
	return matches;
}

static struct slice
text_member(const json_t *info, const char *name)
{
	const char *text = member_text(info, name);

	return text != NULL ? slice_of(text) : (struct slice){NULL, 0};
}

/* -1 is none. */
static bool
has_exit_code(const struct task_filter *f, int64_t code)
{
	return f->exit_code == NULL ||
	       (code >= 0 && code == exit_code_of(f->exit_code));
}

static int64_t
exit_code_member(const json_t *info)
{
	const json_t *code = json_object_get(info, "exit_code");

	return json_is_integer(code) ? json_integer_value(code) : -1;
}

bool
task_filter_info(const struct task_filter *f, const json_t *info,
		 const char *time)
{
	return (f->worker == NULL ||
		is_text(text_member(info, "worker"), f->worker)) &&
	       (f->reason == NULL ||
		is_text(text_member(info, "reason"), f->reason)) &&
	       has_error(f, text_member(info, "error")) &&
	       has_exit_code(f, exit_code_member(info)) &&
	       (time == NULL ||
		task_filter_time(f, member_time_us(info, time)));
}

/* Decoded without making JSON: a filter drops most of them. */
bool
task_filter_record(const struct task_filter *f, struct slice record,
		   int64_t *ret_finished_us)
{
	struct buf scratch = BUF_INIT, repaired = BUF_INIT;
	struct result r = {.finished_us = 0};
	bool matches;

	*ret_finished_us = 0;
	if (task_filter_is_any(f) && f->queue == NULL)
		return true;
	matches = result_decode_repaired(record, &repaired, &scratch, &record,
					 &r, NULL) == 0 &&
		  is_text(r.task_name, f->task) && is_text(r.queue, f->queue) &&
		  is_text(r.worker, f->worker) &&
		  is_text(r.reason, f->reason) && has_error(f, r.error) &&
		  has_exit_code(f, r.end.exited - 1) &&
		  is_of_root(f, r.task_id, r.root) &&
		  task_filter_time(f, r.finished_us) &&
		  args_match(f, r.args, r.kwargs);
	*ret_finished_us = r.finished_us;
	buf_done(&scratch);
	buf_done(&repaired);
	return matches;
}
