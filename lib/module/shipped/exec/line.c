/* SPDX-License-Identifier: MIT */
/*
 * The command line and the input of one task.
 *
 * The command gets its arguments in two ways: in its command line, by the
 * template, for programs that were not written for Flowrra; and as JSON on
 * standard input, for those that were.
 */
#include "module/shipped/exec/line.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "module/dump.h"
#include "util/argv_template.h"
#include "util/err.h"
#include "util/limits.h"

struct arguments {
	const json_t *args;
	const json_t *kwargs;
};

/* --- values -------------------------------------------------------------- */

/* Final for the task: it would lack the argument the next time, too. */
static int
missing(const struct argv_template_placeholder *place, struct err *err)
{
	if (place->name != NULL)
		return err_set(err, ERR_DATA,
			       "the task lacks the keyword argument \"%s\", "
			       "which its command needs",
			       place->name);
	return err_set(err, ERR_DATA,
		       "the task lacks the argument {%u} (counted from 0), "
		       "which its command needs",
		       place->number);
}

/* jansson's callback; a failure shows in the buffer. */
static int
append(const char *p, size_t len, void *arg)
{
	buf_add(arg, p, len);
	return 0;
}

/* A string stands as it is, without quotes; anything else as JSON. */
static int
value_of(void *arg, const struct argv_template_placeholder *place,
	 struct buf *out, struct err *err)
{
	const struct arguments *a = arg;
	const json_t *value = place->name != NULL
				  ? json_object_get(a->kwargs, place->name)
				  : json_array_get(a->args, place->number);

	if (value == NULL)
		return missing(place, err);
	if (!json_is_string(value)) {
		json_dump_callback(value, append, out, dump_flags(value));
		return 0;
	}
	if (strlen(json_string_value(value)) != json_string_length(value))
		return err_set(err, ERR_DATA,
			       "an argument contains a NUL byte, which a "
			       "command line cannot hold");
	buf_adds(out, json_string_value(value));
	return 0;
}

/* --- lists --------------------------------------------------------------- */

/* Appends the words, each with a NUL behind it. */
static int
fill_words(const struct argv_template *w, const struct arguments *a,
	   struct buf *out, struct err *err)
{
	size_t i;

	for (i = 0; i < argv_template_count(w); i++) {
		if (argv_template_fill(w, i, value_of, (void *)a, out, err) !=
		    0)
			return -1;
		buf_addc(out, '\0');
	}
	return 0;
}

/* Points to `n` strings that lie one behind the other; returns what follows. */
static char *
point_to(char **list, size_t n, char *text)
{
	size_t i;

	for (i = 0; i < n; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	return text;
}

static int
add_task_variables(struct flowrra_task *task, struct buf *out, struct err *err)
{
	char address[FLOWRRA_SOCKET_SIZE] = "";

	/* Without one, and without a store of its own, a command's flowrractl
	 * is refused: nothing gets lost. But what is short for a moment is no
	 * reason for that. */
	if (flowrra_task_socket(task, address) != 0) {
		if (limits_is_short(errno))
			return err_sys(err, ERR_SYSTEM,
				       "cannot open a socket for submissions");
		address[0] = '\0';
	}
	buf_addf(out, "FLOWRRA_TASK_SOCKET=%s", address);
	buf_addc(out, '\0');
	buf_addf(out, "FLOWRRA_TASK_ID=%s", flowrra_task_id(task));
	buf_addc(out, '\0');
	buf_addf(out, "FLOWRRA_TASK_NAME=%s", flowrra_task_name(task));
	buf_addc(out, '\0');
	buf_addf(out, "FLOWRRA_TASK_ATTEMPT=%u", flowrra_task_attempt(task));
	buf_addc(out, '\0');
	return 0;
}
#define N_TASK_VARIABLES 4

/*
 * The task's own variables come first among those that are not inherited;
 * is_replaced() has made sure that no name occurs in both parts. Pointers are
 * set at the end, when the text does not move any more.
 */
int
line_make(struct line *l, const struct declared *d, struct flowrra_task *task,
	  const json_t *args, const json_t *kwargs, struct err *err)
{
	const size_t n_argv = argv_template_count(d->command);
	const size_t n_own =
	    argv_template_count(d->environment) + N_TASK_VARIABLES;
	const size_t n_inherited = d->inherited.len / sizeof(char *);
	const struct arguments a = {args, kwargs};
	char *text;

	*l = (struct line){.argv = NULL};
	if (fill_words(d->command, &a, &l->text, err) != 0 ||
	    add_task_variables(task, &l->text, err) != 0)
		goto fail;
	if (fill_words(d->environment, &a, &l->text, err) != 0)
		goto fail;
	l->argv = calloc(n_argv + 1, sizeof(char *));
	l->envp = calloc(n_inherited + n_own + 1, sizeof(char *));
	if (l->argv == NULL || l->envp == NULL || l->text.failed) {
		err_nomem(err);
		goto fail;
	}
	text = point_to(l->argv, n_argv, l->text.data);
	point_to(l->envp, n_own, text);
	if (n_inherited > 0)
		memcpy(l->envp + n_own, d->inherited.data, d->inherited.len);
	return 0;
fail:
	line_done(l);
	return -1;
}

void
line_done(struct line *l)
{
	free(l->argv);
	free(l->envp);
	buf_done(&l->text);
	*l = (struct line){.argv = NULL};
}

/* --- the input ----------------------------------------------------------- */

/* Takes over `number`. */
static json_t *
limit(bool given, json_t *number)
{
	if (given)
		return number;
	json_decref(number);
	return json_null();
}

/* The line break is for programs that read a line. */
char *
line_input(const struct flowrra_task *task, const json_t *args,
	   const json_t *kwargs)
{
	const unsigned int most = flowrra_task_max_attempts(task);
	const double left = flowrra_task_time_left(task);
	json_t *all;
	struct buf out = BUF_INIT;

	all = json_pack(
	    "{ss, ss, sO, sO, sI, so, so}", "id", flowrra_task_id(task), "name",
	    flowrra_task_name(task), "args", args, "kwargs", kwargs, "attempt",
	    (json_int_t)flowrra_task_attempt(task), "max_attempts",
	    limit(most > 0, json_integer(most)), "time_left",
	    limit(left != HUGE_VAL, json_real(left == HUGE_VAL ? 0 : left)));
	if (all == NULL ||
	    json_dump_callback(all, append, &out, dump_flags(all)) != 0)
		out.failed = true;
	buf_addc(&out, '\n');
	json_decref(all);
	if (out.failed)
		buf_done(&out);
	return buf_take(&out);
}
