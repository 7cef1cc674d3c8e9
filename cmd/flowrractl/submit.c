/* SPDX-License-Identifier: MIT */
/* The verb submit: one task, from words and options. submit_stream.c has its
 * way for many. The options are those of core/task_options.def: one that is
 * added there is an option here. */
#include "submit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codec/scan.h"
#include "core/task.h"
#include "flowrra/client.h"
#include "format.h"
#include "gateway.h"
#include "manager/command_after.h"
#include "manager/moment.h"
#include "manager/request.h"
#include "result.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

/* A time that is said to the minute, or was taken from a clock a moment ago, is
 * not meant to be past. */
#define PAST_US INT64_C(60000000)

/* Of lines with the same problem, one after the other. */
#define PROBLEMS_SHOWN 3

/* The request is filled in place by the table; `kw` and the words become its
 * args and kwargs in complete(). */
struct submit_options {
	struct flowrra_request request;
	struct value_list kw, after;
	bool string; /* words are never JSON */
	bool now_if_past;
	bool wait, exit_code;
	double wait_timeout_s;
	bool from_stdin;
};

/* -1: wait without end. */
static void
submit_init(void *options)
{
	static const struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct submit_options *o = options;

	o->request = request;
	o->wait_timeout_s = -1;
}

#define OPTION(...) VERB_OPTION(struct submit_options, 0, __VA_ARGS__)

/* The task's own options stand between those of its arguments and those of the
 * verb, in the order of their table; --help lists them so. */
static const struct option_spec submit_options[] = {
    OPTION("args", "JSON", TEXT, request.args, 0, 0,
	   "positional arguments, a JSON array"),
    OPTION("kwargs", "JSON", TEXT, request.kwargs, 0, 0,
	   "keyword arguments, a JSON object"),
    OPTION("kw", "KEY=VALUE", LIST, kw, 0, 0,
	   "one keyword argument: JSON if it parses, else a string"),
    OPTION("string", NULL, FLAG, string, 0, 0,
	   "take each ARG and VALUE as a string, even if it is JSON"),
#define TASK_OPTION(field, kind, member, low, high, option, arg, help)         \
	OPTION(option, arg, kind, request.member, low, high, help),
#define SUBMIT_OPTION TASK_OPTION
#include "core/task_options.def"
    OPTION("after", "ID[:HOW]", LIST, after, 0, 0,
	   "run it after this step's success, failure or complete"),
    OPTION("now-if-past", NULL, FLAG, now_if_past, 0, 0,
	   "run the task now if the time of --at is past"),
    OPTION("wait", NULL, FLAG, wait, 0, 0, "wait and print the result"),
    OPTION("wait-timeout", "DURATION", SECONDS, wait_timeout_s, 0, 316224000,
	   "wait at most this long"),
    OPTION("exit-code", NULL, FLAG, exit_code, 0, 0,
	   "with --wait: exit as the command of the task did"),
    OPTION("stdin", NULL, FLAG, from_stdin, 0, 0,
	   "read tasks from standard input, one JSON object per line"),
};

int
submit_check_at(int64_t at_us, bool now_if_past, struct err *err)
{
	const int64_t now_us = clock_wall_us();
	char at[MOMENT_TEXT_MAX];

	if (now_if_past && at_us == 0)
		return err_set(err, ERR_USAGE, "--now-if-past needs --at");
	if (at_us == 0 || now_if_past || now_us - at_us <= PAST_US)
		return 0;
	moment_write(at_us, now_us, at);
	return err_set(err, ERR_USAGE,
		       "--at is in the past: %s; use --now-if-past to run the "
		       "task now",
		       at);
}

static int
check_times(const struct submit_options *o, struct err *err)
{
	const struct flowrra_request *r = &o->request;

	if (r->delay_s > 0 && r->at_us != 0)
		return err_set(err, ERR_USAGE, "cannot use --delay with --at");
	if (o->wait_timeout_s >= 0 && !o->wait)
		return err_set(err, ERR_USAGE, "--wait-timeout needs --wait");
	return submit_check_at(r->at_us, o->now_if_past, err);
}

/* With --stdin, the lines may have the rest. */
static int
check_unique(const struct submit_options *o, struct err *err)
{
	const struct flowrra_request *r = &o->request;
	const char *lacks = r->unique_ttl_s != FLOWRRA_UNSET ? "--unique-ttl"
			    : r->unique_until != NULL	     ? "--unique-until"
			    : r->debounce_s > 0		     ? "--debounce"
							     : NULL;

	if (lacks != NULL && r->unique == NULL && !o->from_stdin)
		return err_set(err, ERR_USAGE, "%s needs --unique", lacks);
	if (r->debounce_s > 0 && (r->delay_s > 0 || r->at_us != 0))
		return err_set(err, ERR_USAGE,
			       "cannot use --debounce with --delay or --at");
	return 0;
}

/* Options that say different things of the same, or that mean nothing without
 * another: refused rather than one of them ignored. With --stdin the lines may
 * say what is missing here, and are checked one by one. */
static int
check(const struct submit_options *o, int argc, struct err *err)
{
	const struct flowrra_request *r = &o->request;

	if (argc > 1 && r->args != NULL)
		return err_set(err, ERR_USAGE,
			       "cannot use arguments with --args");
	if (o->kw.n > 0 && r->kwargs != NULL)
		return err_set(err, ERR_USAGE, "cannot use --kw with --kwargs");
	if (check_times(o, err) != 0)
		return -1;
	if (r->cpu_bound != FLOWRRA_UNSET && !r->force && !o->from_stdin)
		return err_set(err, ERR_USAGE,
			       "--cpu-bound needs --force: a registered task "
			       "says itself whether it is");
	if (r->force && r->queue == NULL && !o->from_stdin)
		return err_set(err, ERR_USAGE,
			       "--force needs --queue, because no worker has "
			       "registered this task");
	if (o->exit_code && !o->wait)
		return err_set(err, ERR_USAGE, "--exit-code needs --wait");
	/* It has no record before it runs, and may never run. */
	if (r->on != NULL && o->wait)
		return err_set(err, ERR_USAGE, "cannot use --on with --wait");
	if ((o->after.n > 0 || r->on != NULL) && r->flow == NULL &&
	    !o->from_stdin)
		return err_set(err, ERR_USAGE, "--%s needs --flow",
			       r->on != NULL ? "on" : "after");
	if (check_unique(o, err) != 0)
		return -1;
	if (o->from_stdin && (r->id != NULL || o->exit_code))
		return err_set(err, ERR_USAGE,
			       "cannot use --stdin with --id or --exit-code");
	if (argc == 0 && !o->from_stdin)
		return err_set(err, ERR_USAGE,
			       "missing task name; usage: flowrractl submit "
			       "NAME [ARG...]");
	return 0;
}

/* What follows the options, and what becomes of it. */
struct words {
	const char *const *items;
	size_t n;
	struct buf args, kwargs, after;
};

/* Each option has one ID or several, with commas between. */
static int
read_after(struct submit_options *o, struct words *w, struct err *err)
{
	struct command_after list = {.n = 0};
	size_t i;
	int r = 0;

	if (o->after.n == 0)
		return 0;
	for (i = 0; i < o->after.n && r == 0; i++)
		r = command_after_add_list(&list, o->after.items[i], err);
	for (i = 0; i < list.n && r == 0; i++) {
		buf_addc(&w->after, i > 0 ? ',' : '[');
		scan_quote(&w->after, slice_of(list.texts[i]));
	}
	buf_addc(&w->after, ']');
	command_after_done(&list);
	o->request.after = w->after.data;
	if (r != 0)
		return err_prefix(err, "--after");
	return w->after.failed ? err_nomem(err) : 0;
}

/* Arguments and keywords become JSON, in buffers that the request then borrows
 * from; called a second time, they replace the first. */
static int
read_words(struct submit_options *o, struct words *w, enum request_words how,
	   struct err *err)
{
	buf_reset(&w->args);
	buf_reset(&w->kwargs);
	if (w->n > 1) {
		if (request_arguments(w->items + 1, w->n - 1, how, &w->args,
				      err) != 0)
			return -1;
		o->request.args = w->args.data;
	}
	if (o->kw.n > 0) {
		if (request_keywords(o->kw.items, o->kw.n, how, &w->kwargs,
				     err) != 0)
			return err_prefix(err, "--kw");
		o->request.kwargs = w->kwargs.data;
	}
	return 0;
}

/* Words were read as texts so far, to find mistakes. Most tasks take them as
 * JSON; only the broker knows which do not, and within a task it is not asked.
 * The client keeps what is registered for a while: the submission need not ask
 * again. */
static int
reread_words(struct ctl *ctl, struct submit_options *o, struct words *w,
	     struct err *err)
{
	enum request_words how = REQUEST_JSON;

	if (o->string || (w->n <= 1 && o->kw.n == 0))
		return 0;
	if (ctl->gateway != NULL) {
		if (gateway_words_of(ctl->gateway, &o->request, &how, err) != 0)
			return -1;
	} else if (ctl->own == NULL && !o->request.force &&
		   o->request.name != NULL &&
		   request_words_of(ctl->client, &o->request, &how, err) != 0)
		return -1;
	return how == REQUEST_TEXT ? 0 : read_words(o, w, how, err);
}

/* "submit --stdin FILE" would wait for a terminal, and name the file's tasks
 * after it. A task may have the name of a file, too: then it is registered. */
static int
check_file(struct ctl *ctl, const struct submit_options *o, struct err *err)
{
	const char *name = o->request.name;
	char *registration = NULL;
	struct stat st;

	if (!o->from_stdin || name == NULL || o->request.force ||
	    ctl->own != NULL || ctl->gateway != NULL || stat(name, &st) != 0 ||
	    S_ISDIR(st.st_mode))
		return 0;
	if (flowrra_registered(ctl->client, name, &registration, NULL) == 0) {
		flowrra_free(registration);
		return 0;
	}
	return err_set(err, ERR_USAGE,
		       "\"%.64s\" is a file and not a task; --stdin reads "
		       "standard input: flowrractl submit --stdin < %.64s",
		       name, name);
}

/* Most likely its name is misspelt, or no worker runs. The answer is known from the
 * submission; only where it was bad, the workers are asked. */
static void
warn_of_unserved(struct ctl *ctl, const struct flowrra_request *request)
{
	char *queue = NULL;

	if (ctl->own == NULL && ctl->gateway == NULL && !ctl->globals.quiet)
		queue = request_unserved(ctl->client, request);
	if (queue != NULL)
		complain(ctl,
			 "warning: no living worker serves queue \"%s\"; the "
			 "task waits until one does",
			 queue);
	free(queue);
}

void
submit_print_id(struct ctl *ctl, const char *id)
{
	if (!ctl->globals.json) {
		puts(id);
		return;
	}
	if (format_is_chosen()) {
		print_json_line(json_pack("{s:s}", "id", id));
		return;
	}
	fputs("{\"id\":", stdout);
	print_quoted(id);
	puts("}");
}

void
submit_end_problems(struct ctl *ctl, struct submit_problems *p)
{
	if (p->more > 0)
		complain(ctl,
			 "%zu more lines with this problem, up to line %zu",
			 p->more, p->number);
	p->more = p->same = 0;
}

/* The first of those that follow one another with the same problem: a stream of
 * a million lines may have one mistake in all of them. */
static void
complain_of_line(struct ctl *ctl, struct submit_problems *p, size_t number,
		 const char *problem)
{
	if (strncmp(p->last, problem, sizeof(p->last) - 1) != 0)
		submit_end_problems(ctl, p);
	p->number = number;
	if (p->same++ < PROBLEMS_SHOWN)
		complain(ctl, "line %zu: %s", number, problem);
	else
		p->more++;
	snprintf(p->last, sizeof(p->last), "%s", problem);
}

void
submit_print_problem(struct ctl *ctl, struct submit_problems *p, size_t number,
		     int status, const char *problem)
{
	complain_of_line(ctl, p, number, problem);
	if (format_is_chosen()) {
		print_json_line(json_pack("{s:I,s:i,s:s}", "line",
					  (json_int_t)number, "code", status,
					  "error", problem));
		return;
	}
	if (ctl->globals.json) {
		printf("{\"line\":%zu,\"code\":%d,\"error\":", number, status);
		print_quoted(problem);
		putchar('}');
	}
	putchar('\n');
}

/* The task's status with --wait, else 0 once it is queued. */
static int
submit_one(struct ctl *ctl, const struct submit_options *o)
{
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	int status;

	if (ctl->own != NULL) {
		if ((status = submit_by_task(ctl, &o->request, id)) != 0)
			return status;
	} else if (ctl->gateway != NULL) {
		if ((status = submit_by_gateway(ctl, &o->request, id)) != 0)
			return status;
	} else if (flowrra_submit(ctl->client, &o->request, id, &error) != 0) {
		return complain_of(ctl, &error);
	}
	if (o->wait) {
		warn_of_unserved(ctl, &o->request);
		return print_when_finished(ctl, id, o->wait_timeout_s,
					   o->exit_code);
	}
	submit_print_id(ctl, id);
	warn_of_unserved(ctl, &o->request);
	return 0;
}

/* Four ways: one task or many, by the client or by the worker of the task that
 * runs this command. */
static int
run_submit(struct ctl *ctl, int argc, char **argv, void *options)
{
	struct words w = {.items = (const char *const *)argv,
			  .n = (size_t)argc};
	struct submit_options *o = options;
	struct err err = ERR_INIT;
	int status;

	if (argc > 0)
		o->request.name = argv[0];
	submit_take_trace(&o->request);
	/* Before the client is opened: most mistakes on the command line cost
	 * no connection. */
	if (check(o, argc, &err) != 0 || read_after(o, &w, &err) != 0 ||
	    read_words(o, &w, REQUEST_TEXT, &err) != 0) {
		complain(ctl, "%s", err.msg);
		status = err_exit_status(err.code);
	} else if ((status = ctl_open_near(ctl)) != 0) {
		; /* it was complained of */
	} else if (check_file(ctl, o, &err) != 0 ||
		   reread_words(ctl, o, &w, &err) != 0) {
		complain(ctl, "%s", err.msg);
		status = err_exit_status(err.code);
	} else if (ctl->gateway != NULL && o->from_stdin) {
		status = submit_stream_by_gateway(
		    ctl, &o->request, o->wait ? o->wait_timeout_s : 0, o->wait);
	} else if (ctl->own != NULL && o->from_stdin) {
		status = submit_stream_by_task(ctl, &o->request,
					       o->wait_timeout_s, o->wait);
	} else {
		if (!o->from_stdin)
			tell_moment(ctl, "runs", o->request.at_us);
		status = !o->from_stdin ? submit_one(ctl, o)
			 : o->wait ? submit_stream_and_wait(ctl, &o->request,
							    o->wait_timeout_s)
				   : submit_stream(ctl, &o->request);
		if (o->from_stdin)
			warn_of_unserved(ctl, &o->request);
	}
	buf_done(&w.args);
	buf_done(&w.kwargs);
	buf_done(&w.after);
	return status;
}

const struct verb verb_submit = {
    .name = "submit",
    .summary = "Submit a task and print its ID",
    .usage = "NAME [ARG...] [OPTION...]",
    .options = submit_options,
    .n_options = sizeof(submit_options) / sizeof(submit_options[0]),
    .options_size = sizeof(struct submit_options),
    .init = submit_init,
    .max_args = -1,
    .words = WORD_TASK_NAME,
    .gateway = true,
    .run = run_submit,
};
