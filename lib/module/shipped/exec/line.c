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
#include <unistd.h>

#include "codec/scan.h"
#include "codec/write.h"
#include "core/task.h"
#include "util/argv_guard.h"
#include "util/argv_template.h"
#include "util/err.h"
#include "util/limits.h"

/* Socket, ID, name and attempt: each task has them. */
#define N_TASK_VARIABLES 4

/* As JSON text: a number that was read and printed again would be another text
 * (1.10, 1e5). */
struct arguments {
	struct slice args;
	struct slice kwargs;
};

static struct arguments
arguments_of(const struct flowrra_task *task)
{
	struct arguments a;

	a.args.p = flowrra_task_args_text(task, &a.args.len);
	a.kwargs.p = flowrra_task_kwargs_text(task, &a.kwargs.len);
	return a;
}

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

/* The value that a placeholder stands for. */
struct wanted {
	const struct argv_template_placeholder *place;
	unsigned int number; /* of the element that comes next */
	bool found;
	struct scan_value value;
};

static int
on_argument(void *arg, const struct scan_value *value, struct err *err)
{
	struct wanted *w = arg;

	if (w->number++ != w->place->number)
		return 0;
	w->value = *value;
	w->found = true;
	return -1; /* enough */
}

/* Of a name that comes twice, the last counts, as with handlers in C. */
static int
on_keyword(void *arg, const struct scan_value *key,
	   const struct scan_value *value, struct err *err)
{
	struct wanted *w = arg;
	struct buf name = BUF_INIT;
	int result = 0;

	scan_unescape(key, &name);
	if (name.failed) {
		result = err_nomem(err);
	} else if (slice_eq((struct slice){name.data, name.len},
			    slice_of(w->place->name))) {
		w->value = *value;
		w->found = true;
	}
	buf_done(&name);
	return result;
}

/* A string without its quotes. The text was checked where it was submitted, and
 * by the worker. */
static int
add_string(const struct scan_value *string, struct buf *out, struct err *err)
{
	const size_t begin = out->len;

	scan_unescape(string, out);
	if (!out->failed && out->len > begin &&
	    memchr(out->data + begin, '\0', out->len - begin) != NULL)
		return err_set(err, ERR_DATA,
			       "an argument contains a NUL byte, which a "
			       "command line cannot hold");
	return 0;
}

/* A string stands as it is, without quotes; anything else as JSON. */
static int
value_of(void *arg, const struct argv_template_placeholder *place,
	 struct buf *out, struct err *err)
{
	const struct arguments *a = arg;
	struct wanted w = {.place = place};

	if (place->name != NULL) {
		if (scan_object(a->kwargs, TASK_DEPTH_MAX, on_keyword, &w,
				err) != 0)
			return -1;
	} else {
		scan_array(a->args, TASK_DEPTH_MAX, on_argument, &w, NULL);
	}
	if (!w.found)
		return missing(place, err);
	if (w.value.type == SCAN_STRING)
		return add_string(&w.value, out, err);
	buf_add(out, w.value.text.p, w.value.text.len);
	return 0;
}

/* --- lists --------------------------------------------------------------- */

/*
 * An argument is data: what was written as the template decides which options a
 * program gets. Final for the task, and the argument is not quoted.
 */
static int
refuse_option(const struct argv_template *w, size_t i, struct err *err)
{
	const char *program = argv_guard_program(w, i);

	return err_set(
	    err, ERR_DATA,
	    "an argument begins with \"-\", so that %.64s could take "
	    "it for an option; put -- before word %zu of the command, "
	    "or write --option={…}, or sh -c '%.64s \"$1\"' sh {…}",
	    program, i + 1, program);
}

/* Appends the words, each with a NUL behind it. */
static int
fill_words(const struct argv_template *w, const struct arguments *a,
	   struct buf *out, struct err *err)
{
	size_t i, begin;

	for (i = 0; i < argv_template_count(w); i++) {
		begin = out->len;
		if (argv_template_fill(w, i, value_of, (void *)a, out, err) !=
		    0)
			return -1;
		buf_addc(out, '\0');
		if (!out->failed && argv_guard_is_option(out->data + begin) &&
		    argv_guard_risk(w, i) == ARGV_RISK_OPTION)
			return refuse_option(w, i, err);
	}
	return 0;
}

char *
line_point(char **list, size_t n, char *text)
{
	size_t i;

	for (i = 0; i < n; i++) {
		list[i] = text;
		text += strlen(text) + 1;
	}
	return text;
}

bool
line_is_of_trace(const char *name)
{
	const size_t len = strcspn(name, "=");

	return slice_eq((struct slice){name, len}, SLICE("TRACEPARENT")) ||
	       slice_eq((struct slice){name, len}, SLICE("TRACESTATE"));
}

/* The names are those of OpenTelemetry's environment carrier. */
static void
add_trace(const struct flowrra_task *task, struct buf *out, size_t *n)
{
	const char *parent = flowrra_task_traceparent(task);
	const char *state = flowrra_task_tracestate(task);

	if (parent != NULL) {
		buf_addf(out, "TRACEPARENT=%s", parent);
		buf_addc(out, '\0');
		++*n;
	}
	if (state != NULL) {
		buf_addf(out, "TRACESTATE=%s", state);
		buf_addc(out, '\0');
		++*n;
	}
}

int
line_add_task_variables(struct flowrra_task *task, bool trace, struct buf *out,
			size_t *n, struct err *err)
{
	const char *flow = flowrra_task_flow(task);
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
	*n += N_TASK_VARIABLES;
	if (flow != NULL) {
		buf_addf(out, "FLOWRRA_FLOW=%s", flow);
		buf_addc(out, '\0');
		++*n;
	}
	if (trace)
		add_trace(task, out, n);
	return 0;
}

/* One that the configuration names goes before that of the task. */
static bool
line_takes_trace(const struct declared *d)
{
	size_t i;

	for (i = 0; i < argv_template_count(d->environment); i++)
		if (line_is_of_trace(argv_template_prefix(d->environment, i)))
			return false;
	return true;
}

/*
 * The task's own variables come first among those that are not inherited;
 * is_replaced() has made sure that no name occurs in both parts. Pointers are
 * set at the end, when the text does not move any more.
 */
int
line_make(struct line *l, const struct declared *d, struct flowrra_task *task,
	  struct err *err)
{
	const size_t n_argv = argv_template_count(d->command);
	size_t n_own = argv_template_count(d->environment);
	const size_t n_inherited = d->inherited.len / sizeof(char *);
	const struct arguments a = arguments_of(task);
	size_t input;
	char *text;

	*l = (struct line){.mask = -1,
			   .user = d->of_user[0] != NULL ? &d->user : NULL};
	if (*d->conf->directory != '\0')
		l->directory = d->conf->directory;
	if (fill_words(d->command, &a, &l->text, err) != 0 ||
	    line_add_task_variables(task, line_takes_trace(d), &l->text, &n_own,
				    err) != 0)
		goto fail;
	if (fill_words(d->environment, &a, &l->text, err) != 0)
		goto fail;
	input = l->text.len;
	line_add_input(task, &l->text);
	l->argv = calloc(n_argv + 1, sizeof(char *));
	l->envp = calloc(n_inherited + n_own + 1, sizeof(char *));
	if (l->argv == NULL || l->envp == NULL || l->text.failed) {
		err_nomem(err);
		goto fail;
	}
	text = line_point(l->argv, n_argv, l->text.data);
	line_point(l->envp, n_own, text);
	if (n_inherited > 0)
		memcpy(l->envp + n_own, d->inherited.data, d->inherited.len);
	l->input = (struct slice){l->text.data + input, l->text.len - input};
	return 0;
fail:
	line_done(l);
	return -1;
}

void
line_done(struct line *l)
{
	if (l->input_fd > 0)
		close(l->input_fd);
	free(l->argv);
	free(l->envp);
	buf_done(&l->text);
	*l = (struct line){.argv = NULL};
}

/* --- the input ----------------------------------------------------------- */

/* A line break may stand between two values, and only there. */
static void
add_in_one_line(struct buf *out, struct slice key, struct slice json)
{
	size_t i;

	write_json(out, key, json, SLICE("null"));
	for (i = out->len - json.len; !out->failed && i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
}

/* The line break is for programs that read a line. */
void
line_add_input(const struct flowrra_task *task, struct buf *out)
{
	const unsigned int most = flowrra_task_max_attempts(task);
	const double left = flowrra_task_time_left(task);
	const struct arguments a = arguments_of(task);
	const struct slice none = {NULL, 0};

	write_text(out, WRITE_FIRST("id"), slice_of(flowrra_task_id(task)));
	write_text(out, WRITE_NEXT("name"), slice_of(flowrra_task_name(task)));
	add_in_one_line(out, WRITE_NEXT("args"), a.args);
	add_in_one_line(out, WRITE_NEXT("kwargs"), a.kwargs);
	write_whole(out, WRITE_NEXT("attempt"), flowrra_task_attempt(task));
	if (most > 0)
		write_whole(out, WRITE_NEXT("max_attempts"), most);
	else
		write_json(out, WRITE_NEXT("max_attempts"), none,
			   SLICE("null"));
	if (left != HUGE_VAL)
		write_seconds(out, WRITE_NEXT("time_left"),
			      (int64_t)(left * 1e6));
	else
		write_json(out, WRITE_NEXT("time_left"), none, SLICE("null"));
	write_end(out);
	buf_addc(out, '\n');
}
