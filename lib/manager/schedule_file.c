/* SPDX-License-Identifier: MIT */
/*
 * Files of schedules in JSON, and what both forms have in common.
 *
 * jansson tells the line of what is not JSON, but not where a value stood. So
 * the text is walked once more for the places of the schedules.
 */
#include "manager/schedule_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/schedule_said.h"
#include "module/dump.h"
#include "util/clock.h"
#include "util/err.h"

void
schedule_file_done(struct schedule_file *file)
{
	size_t i;

	for (i = 0; i < file->n; i++) {
		buf_done(&file->entries[i].scratch);
		free(file->entries[i].owner);
	}
	free(file->entries);
	free(file->owner);
	*file = (struct schedule_file){.n = 0};
}

/* --- entries --------------------------------------------------------------- */

/* Not counted before it has been read: what has a mistake is dropped again. The
 * form begins with what holds where nothing is said, so that what the file no
 * longer says becomes standard again. */
static struct schedule_entry *
new_entry(struct schedule_file *file)
{
	const size_t cap = file->cap > 0 ? file->cap * 2 : 16;
	struct schedule_entry *grown, *e;

	if (file->n == file->cap) {
		grown = reallocarray(file->entries, cap, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		file->entries = grown;
		file->cap = cap;
	}
	e = &file->entries[file->n];
	*e = (struct schedule_entry){.line = 0};
	schedule_form_init(&e->form);
	return e;
}

/* A duration from now would be another moment with each run. */
static int
check_moment(const json_t *object, const char *name, struct err *err)
{
	const json_t *value = json_object_get(object, name);
	int64_t us;

	if (!json_is_string(value) ||
	    clock_parse(json_string_value(value), &us, NULL) == 0)
		return 0;
	return err_set(err, ERR_DATA,
		       "%s \"%.64s\": a file needs a time such as "
		       "2026-12-24T18:00:00+01:00, not a duration from now",
		       name, json_string_value(value));
}

static int
check_moments(const json_t *object, const char **ret_field, struct err *err)
{
	const json_t *type = json_object_get(object, "type");

	*ret_field = "start_at";
	if (check_moment(object, "start_at", err) != 0)
		return -1;
	*ret_field = "end_at";
	if (check_moment(object, "end_at", err) != 0)
		return -1;
	*ret_field = "rule";
	if (json_is_string(type) &&
	    strcmp(json_string_value(type), "once") == 0 &&
	    check_moment(object, "rule", err) != 0)
		return -1;
	*ret_field = NULL;
	return 0;
}

/* As an ID: it stands in messages and on command lines. */
static int
read_owner(const json_t *object, char **ret, struct err *err)
{
	const json_t *owner = json_object_get(object, "owner");
	const char *text = json_string_value(owner);

	if (owner == NULL || json_is_null(owner))
		return 0;
	if (text == NULL || text[0] == '\0' ||
	    strlen(text) > SCHEDULE_OWNER_MAX || !task_id_valid(slice_of(text)))
		return err_set(err, ERR_DATA,
			       "owner: not 1 to %d printable ASCII characters "
			       "without spaces",
			       SCHEDULE_OWNER_MAX);
	*ret = strdup(text);
	return *ret != NULL ? 0 : err_nomem(err);
}

/* In JSON the name stands in quotes, in INI at the beginning of a line. */
int
schedule_entry_line(const struct schedule_entry *e, const char *field)
{
	const size_t len = field != NULL ? strlen(field) : 0;
	const char *p = e->text.p, *end = p + e->text.len;
	bool begins = true;
	int line = e->line;

	for (; field != NULL && len > 0 && p + len < end; p++) {
		if (strncmp(p, field, len) == 0 &&
		    ((p > e->text.p && p[-1] == '"' && p[len] == '"') ||
		     (begins && strchr(" \t=", p[len]) != NULL)))
			return line;
		if (*p == '\n')
			line++;
		begins = *p == '\n' || (begins && (*p == ' ' || *p == '\t'));
	}
	return e->line;
}

/* The form's reader passes over what answers tell, and so over `owner`: it is no
 * field that an editor of one schedule may set. Hence a second look. */
int
schedule_file_add_text(struct schedule_file *file, struct slice json,
		       struct slice text, int line, int *ret_line,
		       struct err *err)
{
	struct schedule_entry *e = new_entry(file);
	const char *field = NULL;
	json_t *object;
	int result;

	*ret_line = line;
	if (e == NULL)
		return err_nomem(err);
	e->line = line;
	e->text = text;
	result = schedule_form_read(json, &e->form, &e->scratch, &field, err);
	object = result == 0 ? json_loadb(json.p, json.len, 0, NULL) : NULL;
	if (result == 0 && object == NULL)
		result = err_nomem(err);
	if (result == 0)
		result = check_moments(object, &field, err);
	if (result == 0 && (result = read_owner(object, &e->owner, err)) != 0)
		field = "owner";
	json_decref(object);
	if (result != 0) {
		*ret_line = schedule_entry_line(e, field);
		buf_done(&e->scratch);
		free(e->owner);
		return -1;
	}
	file->n++;
	return 0;
}

int
schedule_file_add(struct schedule_file *file, const json_t *object, int line,
		  struct err *err)
{
	char *json = json_dumps(object, dump_flags(object));
	int result;

	if (json == NULL)
		return err_nomem(err);
	result = schedule_file_add_text(file, slice_of(json), SLICE(""), line,
					&line, err);
	free(json);
	return result;
}

/* --- JSON ------------------------------------------------------------------ */

/* A walk through text that is known to be JSON. */
struct walk {
	const char *p;
	int line;
};

/* What stands between values counts as blank: the text is valid. */
static void
walk_blanks(struct walk *w)
{
	for (; *w->p != '\0' && strchr(" \t\r\n,:", *w->p) != NULL; w->p++)
		w->line += *w->p == '\n';
}

/* Past one value, or the name of a member. */
static void
walk_value(struct walk *w)
{
	bool quoted = false;
	int depth = 0;

	for (; *w->p != '\0'; w->p++) {
		w->line += *w->p == '\n';
		if (quoted && *w->p == '\\' && w->p[1] != '\0') {
			w->p++;
		} else if (*w->p == '"') {
			quoted = !quoted;
		} else if (!quoted && strchr("[{", *w->p) != NULL) {
			depth++;
		} else if (!quoted && strchr("]}", *w->p) != NULL) {
			if (depth == 0)
				return;
			depth--;
		} else if (!quoted && depth == 0 &&
			   strchr(" \t\r\n,:", *w->p) != NULL) {
			w->line -= *w->p == '\n';
			return;
		}
		if (!quoted && depth == 0 && strchr("]}\"", *w->p) != NULL) {
			w->p++;
			return;
		}
	}
}

/* To the array of schedules: the whole, or the member of that name. */
static void
walk_to_schedules(struct walk *w)
{
	bool found = false;

	walk_blanks(w);
	while (*w->p == '{' || *w->p == '"') {
		if (*w->p == '{') {
			w->p++;
		} else {
			found = strncmp(w->p, "\"schedules\"", 11) == 0;
			walk_value(w);
			walk_blanks(w);
			if (found)
				return;
			walk_value(w);
		}
		walk_blanks(w);
	}
}

/* Each element is read from its own bytes, which say the line. */
static int
read_elements(struct schedule_file *file, const char *text,
	      schedule_tell_fn *tell, void *arg, struct err *err)
{
	struct walk w = {.p = text, .line = 1};
	struct err why = ERR_INIT;
	struct slice element;
	int result = 0, line;

	walk_to_schedules(&w);
	w.p++;
	for (walk_blanks(&w); *w.p != ']' && *w.p != '\0'; walk_blanks(&w)) {
		element.p = w.p;
		line = w.line;
		walk_value(&w);
		element.len = (size_t)(w.p - element.p);
		if (schedule_file_add_text(file, element, element, line, &line,
					   &why) == 0)
			continue;
		tell(arg, line, why.msg);
		result = err_set(err, why.code, "%s", why.msg);
	}
	return result;
}

/* The whole is parsed first, so that the walk meets no mistake. */
static int
read_json(struct schedule_file *file, const char *text, schedule_tell_fn *tell,
	  void *arg, struct err *err)
{
	json_error_t error;
	json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	const json_t *schedules = all;
	struct err why = ERR_INIT;
	int result = 0, line = error.line;
	const char *name;
	json_t *value;

	if (all == NULL) {
		result =
		    err_set(&why, ERR_DATA, "not valid JSON: %s", error.text);
	} else if (json_is_object(all)) {
		line = 1;
		json_object_foreach (all, name, value)
			if (strcmp(name, "owner") != 0 &&
			    strcmp(name, "schedules") != 0)
				result = err_set(
				    &why, ERR_DATA,
				    "unknown member \"%.64s\"; the file is an "
				    "array, or has owner and schedules",
				    name);
		schedules = json_object_get(all, "schedules");
		if (result == 0)
			result = read_owner(all, &file->owner, &why);
	}
	if (result == 0 && !json_is_array(schedules))
		result =
		    err_set(&why, ERR_DATA, "there is no array of schedules");
	file->none = result == 0 && json_array_size(schedules) == 0;
	json_decref(all);
	if (result == 0)
		return read_elements(file, text, tell, arg, err);
	tell(arg, line, why.msg);
	return err_set(err, why.code, "%s", why.msg);
}

/* A section of INI begins with a bracket, too, but a letter follows. */
int
schedule_file_read(struct schedule_file *file, const char *text,
		   schedule_tell_fn *tell, void *arg, struct err *err)
{
	const char *p = text + strspn(text, " \t\r\n");
	const char *next = p[0] != '\0' ? p + 1 + strspn(p + 1, " \t\r\n") : p;

	if (p[0] == '{' ||
	    (p[0] == '[' && *next != '\0' && strchr("{]\"[", *next) != NULL))
		return read_json(file, text, tell, arg, err);
	return schedule_ini_read(file, text, tell, arg, err);
}

/* A schedule a line, for diff(1) and for a history of versions. */
void
schedule_file_write_json(const json_t *schedules, struct buf *out)
{
	const json_t *one;
	char *text;
	size_t i;

	buf_addc(out, '[');
	json_array_foreach (schedules, i, one) {
		text = json_dumps(one, dump_flags(one));
		buf_adds(out, i > 0 ? ",\n " : "");
		buf_adds(out, text != NULL ? text : "null");
		free(text);
	}
	buf_adds(out, "]\n");
}
