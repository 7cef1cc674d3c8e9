/* SPDX-License-Identifier: MIT */
/*
 * Files of schedules in INI. Each section becomes the JSON object that says the
 * same, and is read as such: names, ranges and messages are the same in both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/schedule_file.h"
#include "manager/schedule_said.h"
#include "module/dump.h"
#include "util/err.h"

#define SECTION "[schedule "

/* One reading. */
struct ini {
	struct schedule_file *file;
	schedule_tell_fn *tell;
	void *arg;
	struct err *err;
	int result;
	json_t *object;	   /* the section that is read; NULL: none yet */
	const char *begin; /* of it */
	int begin_line;
	bool bad; /* it has a mistake */
};

/* Of a section with a mistake nothing further is said: what is missing in it may
 * follow from that. */
static void
ini_mistake(struct ini *ini, int line, const struct err *why)
{
	ini->tell(ini->arg, line, why->msg);
	ini->result = err_set(ini->err, why->code, "%s", why->msg);
	ini->bad = true;
}

/* --- values ---------------------------------------------------------------- */

/* A switch is a word in INI, as in flowrra.conf. */
static json_t *
ini_switch(const char *text)
{
	if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0)
		return json_true();
	if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0)
		return json_false();
	return json_string(text);
}

/* As the reader of JSON wants it; what it cannot be becomes a string, which that
 * reader refuses by name. */
static json_t *
ini_value(const char *name, const char *text)
{
	const int kind = schedule_said_kind(name);
	json_t *json = NULL;

	if (kind == SAID_SWITCH)
		return ini_switch(text);
	if (text[0] == '"' || kind == SAID_ARRAY || kind == SAID_OBJECT ||
	    kind == SAID_INT || kind == SAID_NUMBER)
		json = json_loads(text, JSON_DECODE_ANY, NULL);
	return json != NULL ? json : json_string(text);
}

/* Options have a '-' where fields have a '_'; both are understood. */
static void
ini_key(struct ini *ini, char *name, const char *text, int line)
{
	struct err why = ERR_INIT;
	json_t *value;
	char *p;

	for (p = name; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	value = ini_value(name, text);
	if (ini->object == NULL && strcmp(name, "owner") != 0) {
		err_set(&why, ERR_DATA,
			"\"%.64s\" before the first section; only owner can "
			"stand here",
			name);
	} else if (ini->object == NULL) {
		free(ini->file->owner);
		ini->file->owner = json_is_string(value)
				       ? strdup(json_string_value(value))
				       : NULL;
	} else if (json_object_get(ini->object, name) != NULL) {
		err_set(&why, ERR_DATA, "%.64s is there twice", name);
	} else if (json_object_set(ini->object, name, value) != 0) {
		err_set(&why, ERR_DATA, "%.64s: not UTF-8", name);
	}
	json_decref(value);
	if (why.code != ERR_NONE)
		ini_mistake(ini, line, &why);
}

/* --- sections -------------------------------------------------------------- */

/* The section has ended at `end`. */
static void
ini_end(struct ini *ini, const char *end)
{
	const struct slice text = {ini->begin, (size_t)(end - ini->begin)};
	struct err why = ERR_INIT;
	int line;
	char *json;

	if (ini->object == NULL)
		return;
	json = json_dumps(ini->object, dump_flags(ini->object));
	if (json != NULL && !ini->bad &&
	    schedule_file_add_text(ini->file, slice_of(json), text,
				   ini->begin_line, &line, &why) != 0)
		ini_mistake(ini, line, &why);
	free(json);
	json_decref(ini->object);
	ini->object = NULL;
}

/* The ID is all up to the last bracket: it may have brackets, too. */
static void
ini_section(struct ini *ini, const char *line, size_t len, const char *begin,
	    int number)
{
	struct err why = ERR_INIT;
	const char *id = line + sizeof(SECTION) - 1;
	size_t id_len;

	ini->begin = begin;
	ini->begin_line = number;
	ini->bad = false;
	ini->object = json_object();
	if (strncmp(line, SECTION, sizeof(SECTION) - 1) != 0 ||
	    line[len - 1] != ']') {
		err_set(&why, ERR_DATA,
			"\"%.64s\" is not a section of schedules: "
			"[schedule ID]",
			line);
		ini_mistake(ini, number, &why);
		return;
	}
	id_len = len - sizeof(SECTION);
	json_object_set_new(ini->object, "id", json_stringn(id, id_len));
}

/* One line without its end, in memory of its own. */
static void
ini_line(struct ini *ini, char *line, const char *begin, int number)
{
	struct err why = ERR_INIT;
	size_t len = strlen(line), name_len;
	char *value;

	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
		line[--len] = '\0';
	line += strspn(line, " \t");
	if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
		return;
	if (line[0] == '[') {
		ini_end(ini, begin);
		ini_section(ini, line, strlen(line), begin, number);
		return;
	}
	name_len = strcspn(line, " \t=");
	value = line + name_len + strspn(line + name_len, " \t");
	if (*value != '=' || name_len == 0) {
		err_set(&why, ERR_DATA,
			"\"%.64s\" is neither a section nor \"name = value\"",
			line);
		ini_mistake(ini, number, &why);
		return;
	}
	value += 1 + strspn(value + 1, " \t");
	line[name_len] = '\0';
	ini_key(ini, line, value, number);
}

/* Not with inih, which flowrra.conf is read with: it cuts a value at a ';' behind
 * a blank, and what is exported must come back as it was. */
int
schedule_ini_read(struct schedule_file *file, const char *text,
		  schedule_tell_fn *tell, void *arg, struct err *err)
{
	struct ini ini = {.file = file, .tell = tell, .arg = arg, .err = err};
	const char *p = text;
	int number = 1;
	char *line;
	size_t len;

	for (; *p != '\0'; number++) {
		len = strcspn(p, "\n");
		if ((line = strndup(p, len)) == NULL) {
			json_decref(ini.object);
			return err_nomem(err);
		}
		ini_line(&ini, line, p, number);
		free(line);
		p += len + (p[len] == '\n');
	}
	ini_end(&ini, p);
	return ini.result;
}

/* --- writing --------------------------------------------------------------- */

/* Whether a text comes back as it is without quotes. */
static bool
is_plain_text(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	const size_t len = strlen(text);

	if (len == 0 || text[0] == '"' || text[0] == ' ' ||
	    text[len - 1] == ' ')
		return false;
	for (; *p != '\0'; p++)
		if (*p < ' ' || *p == 127)
			return false;
	return true;
}

/* Values that are not plain text are JSON, which the reader takes for all of
 * them. */
void
schedule_file_write_ini(const json_t *schedules, struct buf *out)
{
	const char *name;
	json_t *one, *value;
	char *text;
	size_t i;

	json_array_foreach ((json_t *)schedules, i, one) {
		buf_addf(out, "%s[schedule %s]\n", i > 0 ? "\n" : "",
			 json_string_value(json_object_get(one, "id")));
		json_object_foreach (one, name, value) {
			if (strcmp(name, "id") == 0)
				continue;
			if (json_is_string(value) &&
			    is_plain_text(json_string_value(value))) {
				buf_addf(out, "%s = %s\n", name,
					 json_string_value(value));
				continue;
			}
			text = json_dumps(value,
					  dump_flags(value) | JSON_ENCODE_ANY);
			buf_addf(out, "%s = %s\n", name,
				 text != NULL ? text : "null");
			free(text);
		}
	}
}
