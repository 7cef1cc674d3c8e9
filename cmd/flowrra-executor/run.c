/* SPDX-License-Identifier: MIT */
/*
 * One handler in the foreground: as on a worker, but in this process, so that
 * debuggers and profilers see it. Crashes are left to them and to the shell.
 */
#include "run.h"

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/crash.h"
#include "executor/solo.h"
#include "module/loader.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* As [worker] max_result_size is by default. */
#define MAX_RESULT (1u << 20)

struct order {
	const char *file;
	const char *config; /* a file, too */
	struct solo_task task;
};

/* --- the command line ---------------------------------------------------- */

static int
take_text(const char *text, const char **ret, struct err *err)
{
	*ret = text;
	return 0;
}

static int
take_kwargs(const char *text, struct order *o, struct err *err)
{
	return take_text(text, &o->task.kwargs, err);
}

static int
take_id(const char *text, struct order *o, struct err *err)
{
	return take_text(text, &o->task.id, err);
}

static int
take_config(const char *text, struct order *o, struct err *err)
{
	return take_text(text, &o->config, err);
}

static int
take_attempt(const char *text, struct order *o, struct err *err)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '1' || *text > '9' || *end != '\0' || n > 1000000)
		return err_set(err, ERR_USAGE,
			       "\"%.64s\" is not a number from 1 to 1000000",
			       text);
	o->task.attempt = (uint32_t)n;
	return 0;
}

static int
take_timeout(const char *text, struct order *o, struct err *err)
{
	return clock_parse_duration(text, &o->task.timeout_us, err);
}

static int
take_cancel(const char *text, struct order *o, struct err *err)
{
	return clock_parse_duration(text, &o->task.cancel_after_us, err);
}

#define OPTIONS(X)                                                             \
	X("kwargs", "JSON", take_kwargs,                                       \
	  "the keyword arguments, a JSON object")                              \
	X("config", "FILE", take_config,                                       \
	  "a JSON object, of strings, for the module's configure()")           \
	X("id", "ID", take_id, "the task's ID; a new one by default")          \
	X("attempt", "N", take_attempt,                                        \
	  "the number of the attempt; 1 by default")                           \
	X("timeout", "DURATION", take_timeout,                                 \
	  "tell the handler to end after this time; 0: never")                 \
	X("cancel-after", "DURATION", take_cancel,                             \
	  "cancel the task after this time")

static const struct option {
	const char *name;
	int (*take)(const char *text, struct order *o, struct err *err);
} options[] = {
#define X(name, arg, take, help) {name, take},
    OPTIONS(X)
#undef X
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const char run_usage[] = "Options of --run, after the task's name:\n"
#define X(name, arg, take, help) "  --" name " " arg "\n        " help "\n"
    OPTIONS(X)
#undef X
    ;

/* An option at args[*i], which may have its value behind a "=" or in the next
 * place. */
static int
take_option(int n, char **args, int *i, struct order *o, struct err *err)
{
	const char *name = args[*i] + 2;
	const size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	size_t k;

	for (k = 0; k < N_OPTIONS; k++)
		if (strncmp(options[k].name, name, len) == 0 &&
		    options[k].name[len] == '\0')
			break;
	if (k == N_OPTIONS)
		return err_set(err, ERR_USAGE, "unknown option --%.*s",
			       (int)len, name);
	if (value == NULL && ++*i < n)
		value = args[*i];
	if (value == NULL)
		return err_set(err, ERR_USAGE, "--%s needs a value",
			       options[k].name);
	if (options[k].take(value, o, err) == 0)
		return 0;
	err->code = ERR_USAGE;
	return err_prefix(err, "--%s", options[k].name);
}

static int
read_order(int n, char **args, struct order *o, struct err *err)
{
	const char **places[] = {&o->file, &o->task.name, &o->task.args};
	size_t n_places = 0;
	bool options_end = false;
	int i;

	for (i = 0; i < n; i++) {
		if (!options_end && strcmp(args[i], "--") == 0)
			options_end = true;
		else if (!options_end && strncmp(args[i], "--", 2) == 0) {
			if (take_option(n, args, &i, o, err) != 0)
				return -1;
		} else if (n_places == 3)
			return err_set(err, ERR_USAGE,
				       "\"%.64s\" is one argument too many: "
				       "those of the task are one JSON array",
				       args[i]);
		else
			*places[n_places++] = args[i];
	}
	if (n_places < 2)
		return err_set(err, ERR_USAGE,
			       "--run needs a module and the name of a task");
	return 0;
}

/* --- what is shown ------------------------------------------------------- */

static void
show_log(uint32_t level, struct slice text, void *arg)
{
	log_line((enum log_level)level, "%.*s", (int)text.len, text.p);
}

static void
show_progress(struct slice json, void *arg)
{
	fprintf(stderr, "progress: %.*s\n", (int)json.len, json.p);
}

static int32_t
show_submit(struct slice json, struct buf *answer, void *arg)
{
	fprintf(stderr, "submits: %.*s\n", (int)json.len, json.p);
	return ERR_NONE;
}

/* There is none: the tasks that it submits do not run. */
static int32_t
show_await(struct slice id, struct buf *answer, void *arg)
{
	fprintf(stderr, "waits for: %.*s\n", (int)id.len, id.p);
	return ERR_NOT_FOUND;
}

static void
show_failure(const struct order *o, const struct solo_end *end)
{
	fprintf(stderr, "flowrra-executor: %s failed: %s\n", o->task.name,
		end->text);
	if (end->retry_us >= 0)
		fprintf(stderr,
			"attempt %u of %u; a worker would try again in %g s\n",
			o->task.attempt, end->max_attempts,
			(double)end->retry_us / 1e6);
	else
		fputs("a worker would not try again\n", stderr);
}

/* Returns the exit status. */
static int
show_end(const struct order *o, const struct solo_end *end)
{
	if (end->done.limited)
		fputs("the handler was told to end\n", stderr);
	if (end->done.outcome != IPC_SUCCESS) {
		show_failure(o, end);
		return err_exit_status(ERR_FAILED);
	}
	puts(end->text);
	return fflush(stdout) == 0 ? 0 : err_exit_status(ERR_SYSTEM);
}

/* --- running ------------------------------------------------------------- */

static int
complain(const struct err *err)
{
	fprintf(stderr, "flowrra-executor: %s\n", err->msg);
	return err_exit_status(err->code);
}

/* For whichever module it is; NULL with *err. */
static json_t *
read_config(const char *file, struct err *err)
{
	json_error_t why;
	json_t *own, *config;

	if (file == NULL)
		return json_object();
	own = json_load_file(file, JSON_REJECT_DUPLICATES, &why);
	if (own == NULL || !json_is_object(own)) {
		err_set(err, ERR_CONFIG, "--config %.64s: %s", file,
			own == NULL ? why.text : "not a JSON object");
		json_decref(own);
		return NULL;
	}
	if ((config = json_pack("{so}", LOADER_ANY, own)) == NULL)
		err_nomem(err);
	return config;
}

static struct solo *
open_module(const struct order *order, struct err *err)
{
	char path[PATH_MAX];
	json_t *config = read_config(order->config, err);
	struct solo_options o = {
	    .path = realpath(order->file, path) != NULL ? path : order->file,
	    .config = config,
	    .max_result = MAX_RESULT};
	struct solo *solo = config != NULL ? solo_open(&o, err) : NULL;

	json_decref(config);
	return solo;
}

static int
run_order(struct order *o, struct err *err)
{
	struct solo *solo = open_module(o, err);
	struct solo_end end;
	int status;

	if (solo == NULL)
		return complain(err);
	if (solo_run(solo, &o->task, &end, err) == 0) {
		status = show_end(o, &end);
		free(end.text);
	} else
		status = complain(err);
	solo_close(solo);
	return status;
}

int
run_task(int n, char **args)
{
	struct order o = {.task = {.attempt = 1,
				   .timeout_us = -1,
				   .cancel_after_us = -1,
				   .hooks = {.on_log = show_log,
					     .on_progress = show_progress,
					     .on_submit = show_submit,
					     .on_await = show_await}}};
	struct err err = ERR_INIT;
	int status;

	if (read_order(n, args, &o, &err) != 0 ||
	    solo_check_task(&o.task, &err) != 0)
		return complain(&err);
	log_init("flowrra-executor");
	log_set_level(LOG_LEVEL_debug);
	/* As in an executor: see main.c. */
	signal(SIGPIPE, SIG_IGN);
	crash_init_exits();
	status = run_order(&o, &err);
	crash_disarm();
	return status;
}

int
list_tasks(int n, char **files)
{
	struct err err = ERR_INIT;
	struct order o = {.config = NULL};
	struct solo *solo;
	const json_t *task, *text;
	int i, status = 0;
	size_t k;

	for (i = 0; i < n; i++) {
		o.file = files[i];
		if ((solo = open_module(&o, &err)) == NULL) {
			status = complain(&err);
			continue;
		}
		json_array_foreach (solo_tasks(solo), k, task) {
			text = json_object_get(task, "description");
			printf("%s\t%s\n",
			       json_string_value(json_object_get(task, "name")),
			       json_is_string(text) ? json_string_value(text)
						    : "");
		}
		solo_close(solo);
	}
	return status;
}
