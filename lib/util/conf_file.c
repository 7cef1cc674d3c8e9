/* SPDX-License-Identifier: MIT */
/*
 * Configuration files: inih splits the lines, the key table judges them.
 *
 * inih is lenient where an administrator would rather hear of it: it cuts long
 * lines, joins indented ones to the key above, ignores what follows a section's
 * bracket. So it does not read the file itself but gets its lines from
 * conf_file_on_line(), which checks them first.
 */
#include "util/conf_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_key.h"
#include "util/conf_module.h"
#include "util/conf_source.h"
#include "util/conf_task.h"
#include "util/err.h"
#include "util/findings.h"

/* The longest value is 65536 bytes; the rest is for name and blanks. */
#define LINE_MAX_LEN 66000

_Static_assert(INI_HANDLER_LINENO, "the handler wants line numbers");

#define NOT_SPLIT "expected [section] or key = value"

/* `failed` is set with the first error and stops the reader, since inih would
 * go on to the end and report the last one. */
struct parser {
	const char *path;
	const char *next; /* the text that is left */
	int line;	  /* of what the reader gave last */
	struct conf *conf;
	int *seen;		/* the line of each key, or 0 */
	struct conf_task *task; /* whose section it is; NULL: nobody's */
	int task_line;		/* where it begins */
	int *seen_of_task;
	bool in_module; /* it is that of the last module */
	bool skipping;	/* a check: the section is unknown, and so its keys */
	bool failed;
	struct err err;
};

/* Remembers the first error only; returns 0, which inih takes as a failure. A
 * check has all of them told, and the reader goes on: 1. */
static int
conf_file_fail(struct parser *parser, int line, const struct err *err)
{
	struct err told = *err;

	if (parser->conf->findings != NULL) {
		err_prefix(&told, "%s:%d", parser->path, line);
		findings_add(parser->conf->findings, &told);
		return 1;
	}
	if (!parser->failed) {
		parser->failed = true;
		parser->err = *err;
		err_prefix(&parser->err, "%s:%d", parser->path, line);
	}
	return 0;
}

/* Without a command it cannot run; its other faults are told. */
static void
conf_file_drop_task(struct parser *parser)
{
	struct conf *conf = parser->conf;

	conf_task_free(conf->tasks[--conf->n_tasks]);
}

/* Called when the section ends, since only then it is certain that the command
 * will not come. */
static int
conf_file_end_task(struct parser *parser, struct err *err)
{
	const struct conf_task *task = parser->task;

	parser->task = NULL;
	if (task == NULL || *task->command != '\0')
		return 0;
	err_set(err, ERR_CONFIG,
		"[task %s] in line %d lacks a command; add command = "
		"/path/of/program {0}",
		task->name, parser->task_line);
	if (parser->conf->findings == NULL)
		return -1;
	/* A command that is wrong has been told already. */
	if (parser->seen_of_task[conf_task_key_find("command", NULL) -
				 conf_task_keys] == 0)
		conf_file_fail(parser, parser->task_line, err);
	conf_file_drop_task(parser);
	return 0;
}

/* A name that is declared twice is an error: which of the two runs would depend
 * on the order of lines. */
static int
begin_task(struct parser *parser, const char *name, struct err *err)
{
	struct conf *conf = parser->conf;
	struct conf_task *task, **tasks;
	size_t i;

	for (i = 0; i < conf->n_tasks; i++)
		if (strcmp(conf->tasks[i]->name, name) == 0)
			return err_set(err, ERR_CONFIG,
				       "section [task %s] is given twice; the "
				       "first is at %s",
				       name, conf->tasks[i]->location);
	if ((task = conf_task_new(name, err)) == NULL)
		return -1;
	tasks = reallocarray(conf->tasks, conf->n_tasks + 1, sizeof(void *));
	if (tasks != NULL)
		conf->tasks = tasks;
	if (tasks == NULL || asprintf(&task->location, "%s:%d", parser->path,
				      parser->line) == -1) {
		task->location = NULL;
		conf_task_free(task);
		return err_nomem(err);
	}
	tasks[conf->n_tasks++] = task;
	parser->task = task;
	parser->task_line = parser->line;
	memset(parser->seen_of_task, 0, conf_n_task_keys * sizeof(int));
	return 0;
}

/* The name in "KIND NAME", or NULL. */
static const char *
section_of_kind(const char *section, const char *kind)
{
	const size_t len = strlen(kind);

	if (strncmp(section, kind, len) != 0 || section[len] == '\0' ||
	    strchr(" \t", section[len]) == NULL)
		return NULL;
	return section + len + strspn(section + len, " \t");
}

/* "task NAME" and "module NAME" open sections of their own; all others are in the
 * table. */
static int
begin_section(struct parser *parser, const char *section, struct err *err)
{
	const char *name;

	if (conf_file_end_task(parser, err) != 0)
		return -1;
	parser->skipping = parser->in_module = false;
	if ((name = section_of_kind(section, "task")) != NULL)
		return begin_task(parser, name, err);
	if ((name = section_of_kind(section, "module")) == NULL)
		return conf_key_check_section(section, err);
	if (conf_module_begin(parser->conf, name, parser->path, parser->line,
			      err) != 0)
		return -1;
	parser->in_module = true;
	return 0;
}

/*
 * Opens "[section]", which inih passes over when no key follows, and cuts when
 * it is long; and it ignores what stands behind the bracket.
 */
static int
take_header(struct parser *parser, const char *line, size_t len,
	    struct err *err)
{
	const char *end = memchr(line, ']', len);
	char section[256];
	const char *p;

	/* Without the bracket it is inih that refuses the line. */
	if (end == NULL)
		return 0;
	for (p = end + 1; p < line + len && strchr(" \t\r", *p); p++)
		;
	if (p < line + len && *p != ';' && *p != '#')
		return err_set(
		    err, ERR_CONFIG,
		    "unexpected text after \"]\"; put it on a new line");
	snprintf(section, sizeof(section), "%.*s", (int)(end - line - 1),
		 line + 1);
	return begin_section(parser, section, err);
}

/* Whether inih can split a line: a section, a key with a value, or nothing. It
 * counts its own complaints no further than the first. */
static bool
is_splittable(const char *line, size_t len)
{
	size_t i;

	if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
		return true; /* a byte order mark, which inih passes over */
	if (len == 0 || *line == '\r' || strchr(";#", *line) != NULL)
		return true;
	if (*line == '[')
		return memchr(line, ']', len) != NULL;
	for (i = 0; i < len && strchr("=:", line[i]) == NULL; i++)
		if (line[i] == ';' && i > 0 && strchr(" \t", line[i - 1]))
			return false;
	return i < len;
}

/* A line for inih in the place of one that a check has told of. */
static char *
conf_file_pass_over(struct parser *parser, char *str, const char *line,
		    size_t len, const struct err *err)
{
	conf_file_fail(parser, parser->line, err);
	str[0] = '\0';
	parser->next = line + len + (line[len] == '\n');
	return str;
}

/*
 * An ini_reader. Blanks at the beginning are dropped: to inih they would make
 * the line a second value of the key above. What inih would cut, is an error.
 */
static char *
conf_file_on_line(char *str, int size, void *self)
{
	struct parser *parser = self;
	const char *line = parser->next + strspn(parser->next, " \t");
	size_t len = strcspn(line, "\n");
	struct err err = ERR_INIT;

	if (*parser->next == '\0' || parser->failed)
		return NULL;
	parser->line++;
	if (parser->conf->findings != NULL && !is_splittable(line, len)) {
		err_set(&err, ERR_CONFIG, NOT_SPLIT);
		return conf_file_pass_over(parser, str, line, len, &err);
	}
	if (*line == '[' && take_header(parser, line, len, &err) != 0) {
		parser->skipping = true;
		if (parser->conf->findings != NULL)
			return conf_file_pass_over(parser, str, line, len,
						   &err);
		conf_file_fail(parser, parser->line, &err);
		return NULL;
	}
	/* inih wants room for "\r", "\n" and the NUL. */
	if (len + 3 > (size_t)size) {
		err_set(&err, ERR_CONFIG,
			"the line has %zu bytes; at most %d are allowed", len,
			size - 3);
		if (parser->conf->findings != NULL)
			return conf_file_pass_over(parser, str, line, len,
						   &err);
		conf_file_fail(parser, parser->line, &err);
		return NULL;
	}
	memcpy(str, line, len);
	str[len] = '\0';
	parser->next = line + len + (line[len] == '\n');
	return str;
}

/* A further line of a key that may have several: what both say. */
static int
set_joined(const struct conf_key *key, void *values, const char *value,
	   struct err *err)
{
	struct buf both = BUF_INIT;
	int r;

	conf_key_print(key, values, &both);
	buf_addf(&both, " %s", value);
	if (both.failed)
		r = err_nomem(err);
	else
		r = conf_key_set(key, values, both.data, err);
	buf_done(&both);
	return r;
}

/* A key of the section that is open; `section` names it. */
static int
set_value(struct parser *parser, const struct conf_key *key,
	  const char *section, const char *value, struct err *err)
{
	struct conf_task *task = parser->task;
	void *values = task != NULL ? (void *)task : parser->conf;
	int *seen = task != NULL ? &parser->seen_of_task[key - conf_task_keys]
				 : &parser->seen[key - conf_keys];
	int r;

	if (*seen != 0 && (key->flags & REPEATED) == 0)
		return err_set(err, ERR_CONFIG,
			       "[%s] %s is given twice; the first is in line "
			       "%d",
			       section, key->name, *seen);
	if (*seen != 0)
		r = set_joined(key, values, value, err);
	else
		r = conf_key_set(key, values, value, err);
	*seen = parser->line;
	if (r == 0)
		return 0;
	if (key->type == CONF_SECRET)
		return err_prefix(err, "[%s] %s", section, key->name);
	return err_prefix(err, "[%s] %s = \"%.64s\"", section, key->name,
			  value);
}

/* parser->task and not `section` says where the key belongs: inih cuts the
 * names of sections at 50 bytes, and a task's may have 200. */
static int
set_key(struct parser *parser, const char *section, const char *name,
	const char *value, struct err *err)
{
	const struct conf_key *key;
	char of_task[256];

	if (parser->skipping)
		return 0;
	if (parser->in_module)
		return conf_module_set(parser->conf, name, value, parser->line,
				       err);
	if (parser->task == NULL) {
		if (*section == '\0')
			return err_set(
			    err, ERR_CONFIG,
			    "the key \"%.64s\" is before the first [section]",
			    name);
		if ((key = conf_key_find(section, name, err)) == NULL)
			return -1;
		return set_value(parser, key, section, value, err);
	}
	snprintf(of_task, sizeof(of_task), "task %s", parser->task->name);
	if ((key = conf_task_key_find(name, err)) == NULL)
		return err_prefix(err, "[%s]", of_task);
	return set_value(parser, key, of_task, value, err);
}

/* What inih calls for each key; 1 means success there. */
static int
on_key(void *self, const char *section, const char *name, const char *value,
       int line)
{
	struct parser *parser = self;
	struct err err = ERR_INIT;

	if (set_key(parser, section, name, value, &err) != 0)
		return conf_file_fail(parser, line, &err);
	return 1;
}

/* The library's limit is a variable, 200 by default; it has no other way. */
static void
widen_lines(void)
{
	if (ini_max_line < LINE_MAX_LEN)
		ini_max_line = LINE_MAX_LEN;
}

static void
conf_file_note_sources(const struct parser *parser)
{
	size_t i;

	for (i = 0; i < conf_n_keys; i++)
		if (parser->seen[i] != 0)
			conf_source_set(parser->conf, &conf_keys[i],
					CONF_FROM_FILE, parser->seen[i]);
}

/* The first error in the order of lines is reported, whether inih or the key
 * table found it. */
int
conf_file_parse(const char *path, const char *text, struct conf *conf,
		struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct parser parser = {.path = path, .next = text, .conf = conf};
	struct err end = ERR_INIT;
	int bad_line;

	pthread_once(&once, widen_lines);
	parser.seen = calloc(conf_n_keys + conf_n_task_keys, sizeof(int));
	if (parser.seen == NULL)
		return err_nomem(err);
	parser.seen_of_task = parser.seen + conf_n_keys;
	bad_line =
	    ini_parse_stream(conf_file_on_line, &parser, on_key, &parser);
	conf_file_note_sources(&parser);
	if (bad_line == 0 && !parser.failed &&
	    conf_file_end_task(&parser, &end) != 0)
		conf_file_fail(&parser, parser.line, &end);
	free(parser.seen);
	/* A line that inih could not split comes before what failed later. */
	if (bad_line > 0 && (!parser.failed || bad_line < parser.line))
		return err_set(err, ERR_CONFIG, "%s:%d: " NOT_SPLIT, path,
			       bad_line);
	if (!parser.failed && bad_line == 0)
		return 0;
	if (!parser.failed)
		return err_nomem(err);
	if (err != NULL)
		*err = parser.err;
	return -1;
}
