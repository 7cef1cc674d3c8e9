/* SPDX-License-Identifier: MIT */
/*
 * libflowrra_testing: handlers run in a test program, by the executor's own code
 * (executor/solo.h). What a handler tells on the way is kept for the test.
 */
#include <flowrra/testing.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/solo.h"
#include "module/loader.h"
#include "util/err.h"
#include "util/log.h"

/* What a caller must at least know: the members of the first version. */
#define OPTIONS_MIN sizeof(struct flowrra_test_options)
#define CALL_MIN sizeof(struct flowrra_test_call)

/* The largest that a worker may be told. */
#define MAX_RESULT (32u << 20)

struct flowrra_test {
	struct solo *solo;
};

/* Texts, each allocated alone: pointers to them are handed out. */
struct texts {
	char **list;
	size_t n;
};

/* What the caller sees, and what it rests on. */
struct outcome {
	struct flowrra_test_result result; /* the first: it is the address */
	struct solo_end end;
	struct texts progress, submitted, log;
	struct flowrra_test_line *lines; /* as long as `log` */
	bool failed;			 /* memory ran out */
	const struct flowrra_test_call *call;
};

static int
testing_fail(char *error, size_t error_size, const struct err *err)
{
	if (error != NULL && error_size > 0)
		snprintf(error, error_size, "%s", err->msg);
	return -1;
}

/* --- what a handler tells ------------------------------------------------ */

/* Returns the text as it was added, or NULL. */
static const char *
texts_add(struct texts *t, struct slice text, bool *failed)
{
	char **list = reallocarray(t->list, t->n + 1, sizeof(char *));

	if (list != NULL)
		t->list = list;
	if (list == NULL || (list[t->n] = strndup(text.len > 0 ? text.p : "",
						  text.len)) == NULL) {
		*failed = true;
		return NULL;
	}
	return list[t->n++];
}

static void
texts_done(struct texts *t)
{
	while (t->n > 0)
		free(t->list[--t->n]);
	free(t->list);
}

static void
on_testing_progress(struct slice json, void *arg)
{
	struct outcome *o = arg;

	texts_add(&o->progress, json, &o->failed);
}

/* syslog's number of a level of ours. */
static int
testing_level(uint32_t level)
{
	static const int levels[] = {
#define X(name, priority) [LOG_LEVEL_##name] = (priority),
	    LOG_LEVELS(X)
#undef X
	};

	return levels[level];
}

static void
on_testing_log(uint32_t level, struct slice text, void *arg)
{
	struct outcome *o = arg;
	struct flowrra_test_line *lines;
	const char *copy = texts_add(&o->log, text, &o->failed);

	lines = reallocarray(o->lines, o->log.n, sizeof(*lines));
	if (copy == NULL || lines == NULL) {
		o->failed = true;
		return;
	}
	o->lines = lines;
	lines[o->log.n - 1] =
	    (struct flowrra_test_line){testing_level(level), copy};
}

static int32_t
on_testing_submit(struct slice json, struct buf *answer, void *arg)
{
	struct outcome *o = arg;
	const char *copy = texts_add(&o->submitted, json, &o->failed);

	if (copy == NULL || o->call->on_submit == NULL ||
	    o->call->on_submit(copy, o->call->arg) == 0)
		return ERR_NONE;
	buf_adds(answer, "the test refuses it");
	return ERR_REFUSED;
}

static int32_t
on_testing_await(struct slice id, struct buf *answer, void *arg)
{
	struct outcome *o = arg;
	struct buf text = BUF_INIT;
	const char *record = NULL;

	buf_add(&text, id.p, id.len);
	if (!text.failed && o->call->on_await != NULL)
		record = o->call->on_await(text.data, o->call->arg);
	buf_done(&text);
	if (record == NULL)
		return ERR_NOT_FOUND;
	buf_adds(answer, record);
	return ERR_NONE;
}

/* --- running ------------------------------------------------------------- */

/* JSON of the wrong kind would fail the task, where it is the test that is
 * wrong. */
static int
testing_check_call(const struct flowrra_test_call *call, struct err *err)
{
	if (call->size < CALL_MIN || call->task == NULL || call->attempt < 1)
		return err_set(err, ERR_USAGE,
			       "begin with FLOWRRA_TEST_CALL_INIT, and set the "
			       "task");
	return solo_check_task(
	    &(struct solo_task){.args = call->args, .kwargs = call->kwargs},
	    err);
}

/* As the members say, < 0 stays so; ten years are as good as more. */
static int64_t
testing_us(double seconds)
{
	return seconds < 0     ? -1
	       : seconds < 3e8 ? (int64_t)(seconds * 1e6)
			       : INT64_C(300000000000000);
}

static int
testing_run(struct flowrra_test *test, struct outcome *o, struct err *err)
{
	const struct flowrra_test_call *call = o->call;
	const struct solo_task task = {
	    .id = call->id,
	    .name = call->task,
	    .args = call->args,
	    .kwargs = call->kwargs,
	    .attempt = call->attempt,
	    .timeout_us = testing_us(call->timeout_s),
	    .cancel_after_us = testing_us(call->cancel_after_s),
	    .give_up_us = call->give_up_s > 0 ? testing_us(call->give_up_s) : 0,
	    .hooks = {.on_log = on_testing_log,
		      .on_progress = on_testing_progress,
		      .on_submit = on_testing_submit,
		      .on_await = on_testing_await,
		      .arg = o}};

	if (solo_run(test->solo, &task, &o->end, err) != 0)
		return -1;
	return o->failed ? err_nomem(err) : 0;
}

static void
testing_show(struct outcome *o)
{
	struct flowrra_test_result *r = &o->result;

	r->success = o->end.done.outcome == IPC_SUCCESS;
	*(r->success ? &r->result : &r->error) = o->end.text;
	r->retry = o->end.retry_us >= 0;
	r->retry_delay_s = r->retry ? (double)o->end.retry_us / 1e6 : 0;
	r->told_to_end = o->end.done.limited != 0;
	r->progress = (const char *const *)o->progress.list;
	r->n_progress = o->progress.n;
	r->submitted = (const char *const *)o->submitted.list;
	r->n_submitted = o->submitted.n;
	r->log = o->lines;
	r->n_log = o->log.n;
	o->call = NULL;
}

int
flowrra_test_run(struct flowrra_test *test,
		 const struct flowrra_test_call *call,
		 struct flowrra_test_result **result, char *error,
		 size_t error_size)
{
	struct outcome *o = calloc(1, sizeof(*o));
	struct err err = ERR_INIT;

	if (o == NULL) {
		err_nomem(&err);
		return testing_fail(error, error_size, &err);
	}
	o->call = call;
	if (testing_check_call(call, &err) != 0 ||
	    testing_run(test, o, &err) != 0) {
		flowrra_test_result_free(&o->result);
		return testing_fail(error, error_size, &err);
	}
	testing_show(o);
	*result = &o->result;
	return 0;
}

void
flowrra_test_result_free(struct flowrra_test_result *result)
{
	struct outcome *o = (struct outcome *)result;

	if (o == NULL)
		return;
	texts_done(&o->progress);
	texts_done(&o->submitted);
	texts_done(&o->log);
	free(o->lines);
	free(o->end.text);
	free(o);
}

/* --- opening ------------------------------------------------------------- */

static int
testing_open(const struct flowrra_test_options *options, struct flowrra_test *t,
	     struct err *err)
{
	char path[PATH_MAX];
	json_t *own = json_loads(options->config ? options->config : "{}",
				 JSON_REJECT_DUPLICATES, NULL);
	json_t *config = json_pack("{sO}", LOADER_ANY, own);
	const struct solo_options o = {
	    .path =
		options->file != NULL && realpath(options->file, path) != NULL
		    ? path
		    : options->file,
	    .own = options->module,
	    .config = config,
	    .max_result = options->max_result < MAX_RESULT
			      ? (uint32_t)options->max_result
			      : MAX_RESULT};

	/* With the other reference gone the object goes with `config`. */
	json_decref(own);
	if (!json_is_object(own))
		err_set(err, ERR_DATA, "config: not a JSON object");
	else
		t->solo = solo_open(&o, err);
	json_decref(config);
	return t->solo != NULL ? 0 : -1;
}

int
flowrra_test_open(const struct flowrra_test_options *options,
		  struct flowrra_test **test, char *error, size_t error_size)
{
	struct flowrra_test *t = calloc(1, sizeof(*t));
	struct err err = ERR_INIT;
	int r = -1;

	if (t == NULL)
		err_nomem(&err);
	else if (options->size < OPTIONS_MIN ||
		 (options->file == NULL) == (options->module == NULL))
		err_set(&err, ERR_USAGE,
			"begin with FLOWRRA_TEST_OPTIONS_INIT, and set either "
			"file or module");
	else
		r = testing_open(options, t, &err);
	if (r != 0) {
		free(t);
		return testing_fail(error, error_size, &err);
	}
	*test = t;
	return 0;
}

void
flowrra_test_close(struct flowrra_test *test)
{
	if (test == NULL)
		return;
	solo_close(test->solo);
	free(test);
}
