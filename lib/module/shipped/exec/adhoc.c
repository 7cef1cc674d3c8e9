/* SPDX-License-Identifier: MIT */
/*
 * exec.run: from the keyword arguments of the task to a command line.
 *
 * Nothing of it is a template: words go to the program as they are, and its
 * environment is the submitter's, not this worker's.
 */
#include "module/shipped/exec/adhoc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/blob.h"
#include "codec/word.h"
#include "flowrra/module.h"
#include "module/shipped/exec/line.h"
#include "util/err.h"
#include "util/trust.h"

/* Lists are of offsets at first: the text that they point into still moves. */
struct adhoc {
	struct line *line;
	size_t n_argv, n_envp;
	size_t argv_at, directory_at, lock_at,
	    input_at; /* input: its bytes, or path */
	bool has_directory, has_lock;
	bool
	    traced; /* the task is; what it was submitted with does not count */
};

/* One word, with a NUL behind it. */
static int
adhoc_add(struct buf *text, const char *what, const json_t *word,
	  struct err *err)
{
	if (word_read(word, text, err) != 0)
		return err_prefix(err, "%s", what);
	buf_addc(text, '\0');
	return 0;
}

static int
adhoc_add_argv(struct adhoc *a, const json_t *argv, struct err *err)
{
	const json_t *word;
	size_t i;

	a->argv_at = a->line->text.len;
	if (json_array_size(argv) == 0)
		return err_set(
		    err, ERR_DATA,
		    "argv is not a list of words, the program first");
	json_array_foreach (argv, i, word)
		if (adhoc_add(&a->line->text, "argv", word, err) != 0)
			return -1;
	a->n_argv = json_array_size(argv);
	if (!a->line->text.failed && a->line->text.data[a->argv_at] == '\0')
		return err_set(err, ERR_DATA, "the program's name is empty");
	return 0;
}

/* The variables that tell the command of its task: only we set them. */
static bool
adhoc_is_of_task(const char *name)
{
	static const char *const of_task[] = {
	    "FLOWRRA_TASK_ID", "FLOWRRA_TASK_NAME", "FLOWRRA_TASK_ATTEMPT",
	    "FLOWRRA_TASK_SOCKET", "FLOWRRA_FLOW"};
	size_t i;

	for (i = 0; i < sizeof(of_task) / sizeof(of_task[0]); i++)
		if (strcmp(name, of_task[i]) == 0)
			return true;
	return false;
}

/* A name with "=" in it would become another variable. Without any, the command has the
 * task's own, and finds its program in the standard places. */
static int
adhoc_add_environment(struct adhoc *a, const json_t *env, struct err *err)
{
	const json_t *value;
	const char *name;

	if (env != NULL && !json_is_object(env))
		return err_set(err, ERR_DATA, "env is not an object");
	json_object_foreach ((json_t *)env, name, value) {
		if (*name == '\0' || strchr(name, '=') != NULL)
			return err_set(err, ERR_DATA,
				       "env: \"%.64s\" is not the name of a "
				       "variable",
				       name);
		if (adhoc_is_of_task(name) ||
		    (a->traced && line_is_of_trace(name)))
			continue;
		buf_addf(&a->line->text, "%s=", name);
		if (adhoc_add(&a->line->text, name, value, err) != 0)
			return -1;
		a->n_envp++;
	}
	return 0;
}

/* A relative one would be seen from the worker's directory, which the submitter does
 * not know. */
static int
adhoc_add_directory(struct adhoc *a, const json_t *cwd, struct err *err)
{
	a->directory_at = a->line->text.len;
	a->has_directory = cwd != NULL;
	if (cwd == NULL)
		return 0;
	if (adhoc_add(&a->line->text, "cwd", cwd, err) != 0)
		return -1;
	if (!a->line->text.failed && a->line->text.data[a->directory_at] != '/')
		return err_set(err, ERR_DATA, "cwd is not an absolute path");
	return 0;
}

static int
adhoc_add_lock(struct adhoc *a, const json_t *lock, struct err *err)
{
	a->lock_at = a->line->text.len;
	a->has_lock = lock != NULL;
	return lock != NULL ? adhoc_add(&a->line->text, "lock", lock, err) : 0;
}

static int
adhoc_set_mask(struct line *l, const json_t *mask, struct err *err)
{
	const char *text = json_string_value(mask);

	if (mask == NULL)
		return 0;
	if (text == NULL || *text == '\0' || strlen(text) > 4 ||
	    strspn(text, "01234567") != strlen(text) ||
	    strtol(text, NULL, 8) > 0777)
		return err_set(err, ERR_DATA,
			       "umask is not a string of octal digits up to "
			       "0777");
	l->mask = (int)strtol(text, NULL, 8);
	return 0;
}

/* Pointers, now that the text is whole: environment, argv, directory and input
 * lie one behind the other. */
static int
adhoc_point(struct adhoc *a, struct err *err)
{
	struct line *l = a->line;

	l->argv = calloc(a->n_argv + 1, sizeof(char *));
	l->envp = calloc(a->n_envp + 1, sizeof(char *));
	if (l->argv == NULL || l->envp == NULL || l->text.failed)
		return err_nomem(err);
	line_point(l->envp, a->n_envp, l->text.data);
	line_point(l->argv, a->n_argv, l->text.data + a->argv_at);
	if (a->has_lock)
		l->lock = l->text.data + a->lock_at;
	if (a->has_directory)
		l->directory = l->text.data + a->directory_at;
	l->input = (struct slice){l->text.data + a->input_at,
				  l->text.len - a->input_at};
	return 0;
}

/* What is not a file could keep this process waiting. */
static int
adhoc_open_input(struct line *l, struct err *err)
{
	const char *path = l->input.p;
	int fd;

	if (path[0] != '/')
		return err_set(err, ERR_DATA,
			       "stdin_file is not an absolute path");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, ERR_SYSTEM,
			       "cannot open %.200s for standard input", path);
	fcntl(fd, F_SETFL, 0);
	l->input_fd = fd;
	return 0;
}

int
adhoc_make(struct line *ret, const char *store, struct flowrra_task *task,
	   const json_t *kwargs, struct err *err)
{
	struct adhoc a = {.line = ret};
	const json_t *input = json_object_get(kwargs, "stdin"),
		     *file = json_object_get(kwargs, "stdin_file");

	*ret = (struct line){.mask = -1};
	if (trust_check_database(store, err) != 0)
		return err_prefix(err,
				  "a command of one who can write to the store "
				  "is not run where others can, too");
	if (json_object_get(kwargs, "env") == NULL &&
	    json_object_get(kwargs, BLOB_MEMBER) != NULL)
		return err_set(err, ERR_DATA,
			       "the environment that it shares with others is "
			       "not in the database");
	a.traced = flowrra_task_traceparent(task) != NULL;
	if (line_add_task_variables(task, true, &ret->text, &a.n_envp, err) !=
		0 ||
	    adhoc_add_environment(&a, json_object_get(kwargs, "env"), err) !=
		0 ||
	    adhoc_add_argv(&a, json_object_get(kwargs, "argv"), err) != 0 ||
	    adhoc_add_directory(&a, json_object_get(kwargs, "cwd"), err) != 0 ||
	    adhoc_add_lock(&a, json_object_get(kwargs, "lock"), err) != 0 ||
	    adhoc_set_mask(ret, json_object_get(kwargs, "umask"), err) != 0)
		return -1;
	a.input_at = ret->text.len;
	if (input != NULL && word_read(input, &ret->text, err) != 0)
		return err_prefix(err, "stdin");
	if (file != NULL &&
	    (input != NULL ||
	     adhoc_add(&ret->text, "stdin_file", file, err) != 0))
		return err->code != ERR_NONE
			   ? -1
			   : err_set(err, ERR_DATA,
				     "there are both stdin and stdin_file");
	if (adhoc_point(&a, err) != 0)
		return -1;
	return file != NULL ? adhoc_open_input(ret, err) : 0;
}
