/* SPDX-License-Identifier: MIT */
/*
 * The module exec: tasks that the configuration declares, each of which runs a
 * command. flowrra-exec(7) is about their meaning.
 *
 * They are asynchronous handlers: a command that runs costs a process, and here
 * no thread. Those that are cpu_bound run one at a time in a cpu executor, on
 * an event loop of their own. In both cases another program, flowrra-spawner,
 * starts the command: the executor may have many threads and much memory, which
 * makes fork() dear and risky.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowrra/module.h"
#include "module/begin.h"
#include "module/exact.h"
#include "module/lost.h"
#include "module/shipped/exec/captures.h"
#include "module/shipped/exec/declared.h"
#include "module/shipped/exec/run.h"
#include "module/signalled.h"
#include "spawn/client.h"
#include "util/argv_template.h"
#include "util/err.h"
#include "util/name.h"
#include "util/proc.h"

/* How soon a handler that blocks notices that it is to end. 20 questions a
 * second are not measurable, and a person does not notice the delay. */
#define ASK_US 50000

/* One for the process: a module has no other place for it. */
static struct {
	struct declarations all;
	struct flowrra_task_type *types;
	char *spawner_path;
	struct spawner *spawner;
	struct event_base *base; /* of tasks that are cpu_bound */
} exec;

/* Made with the first task, since there is no event loop before. */
static struct spawner *
the_spawner(struct event_base *base)
{
	if (exec.spawner == NULL)
		exec.spawner = spawner_new(base, exec.spawner_path, NULL);
	return exec.spawner;
}

/* --- on the executor's event loop ---------------------------------------- */

static void
set_exact(struct flowrra_task *task, const struct run_outcome *outcome)
{
	if (outcome->exact.len > 0)
		flowrra_task_exact(task, outcome->exact.p, outcome->exact.len);
}

/* A reference of its own for the result: the run drops the other one. */
static void
on_end(const struct run_outcome *outcome, void *arg)
{
	struct flowrra_task *task = arg;

	if (outcome->unbegun)
		flowrra_task_unbegun(task);
	set_exact(task, outcome);
	if (outcome->success)
		flowrra_finish(task, json_incref(outcome->result));
	else if (outcome->lost)
		flowrra_task_lost(task, outcome->error);
	else if (outcome->final)
		flowrra_fail_final(task, "%s", outcome->error);
	else
		flowrra_fail(task, "%s", outcome->error);
}

static void
on_signal(struct flowrra_task *task, int sig)
{
	run_signal(flowrra_task_data(task), sig);
}

/* run_start() has reported a failure itself when it returns NULL. */
static void
start(struct flowrra_task *task, struct event_base *base, const json_t *args,
      const json_t *kwargs)
{
	const struct run_options o = {
	    .task = task,
	    .declared = declarations_find(&exec.all, flowrra_task_name(task)),
	    .kwargs = kwargs,
	    .all = &exec.all,
	    .spawner = the_spawner(base),
	    .base = base,
	    .on_end = on_end,
	    .arg = task};
	struct run *r;

	flowrra_task_on_signal(task, on_signal);
	if (o.spawner == NULL)
		flowrra_fail(task, "out of memory");
	else if ((r = run_start(&o)) != NULL)
		flowrra_task_set_data(task, r);
}

static void
cancel(struct flowrra_task *task)
{
	run_cancel(flowrra_task_data(task));
}

/* --- in a cpu executor --------------------------------------------------- */

struct blocking {
	struct flowrra_task *task;
	struct run *run;
	json_t *result;
	bool over;
	int status; /* what a blocking handler returns */
};

static void
on_blocking_end(const struct run_outcome *outcome, void *arg)
{
	struct blocking *b = arg;

	b->over = true;
	if (outcome->unbegun)
		flowrra_task_unbegun(b->task);
	set_exact(b->task, outcome);
	if (outcome->success)
		b->result = json_incref(outcome->result);
	else if (outcome->lost)
		b->status = flowrra_task_lost(b->task, outcome->error);
	else if (outcome->final)
		b->status = flowrra_fail_final(b->task, "%s", outcome->error);
	else
		b->status = flowrra_fail(b->task, "%s", outcome->error);
}

/* Nothing wakes this loop when the task is cancelled: the flag is asked for. */
static void
on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct blocking *b = arg;
	const int sig = flowrra_task_take_signal(b->task);

	if (!b->over && sig != 0)
		run_signal(b->run, sig);
	if (!b->over && flowrra_task_cancelled(b->task))
		run_cancel(b->run);
}

/* One task at a time: a cpu executor runs no second one before this returns.
 * The loop stays for the next, with the spawner's connection in it. */
static int
run(struct flowrra_task *task, const json_t *args, const json_t *kwargs,
    json_t **result)
{
	const struct timeval tv = {.tv_usec = ASK_US};
	struct blocking b = {.task = task};
	struct run_options o = {
	    .task = task,
	    .declared = declarations_find(&exec.all, flowrra_task_name(task)),
	    .all = &exec.all,
	    .on_end = on_blocking_end,
	    .arg = &b};
	struct event *ask;

	if (exec.base == NULL)
		exec.base = event_base_new();
	if (exec.base == NULL || (o.spawner = the_spawner(exec.base)) == NULL ||
	    (ask = event_new(exec.base, -1, EV_PERSIST, on_ask, &b)) == NULL)
		return flowrra_fail(task, "out of memory");
	o.base = exec.base;
	event_add(ask, &tv);
	b.run = run_start(&o);
	while (!b.over)
		event_base_loop(exec.base, EVLOOP_ONCE);
	event_free(ask);
	*result = b.result;
	return b.status;
}

/* --- the module ---------------------------------------------------------- */

/* Without a description, the program's name is the best one. */
static void
describe(const struct declared *d, struct flowrra_task_type *type)
{
	const struct conf_task *t = d->conf;

	*type = (struct flowrra_task_type){
	    .name = t->name,
	    .description = *t->description
			       ? t->description
			       : argv_template_prefix(d->command, 0),
	    .queue = *t->queue ? t->queue : NULL,
	    .run = t->cpu_bound ? run : NULL,
	    .start = t->cpu_bound ? NULL : start,
	    .cancel = t->cpu_bound ? NULL : cancel,
	    .cpu_bound = t->cpu_bound,
	    .text_arguments = strcmp(t->arguments, "text") == 0,
	    .params = d->params,
	    .max_retries = (int)t->max_retries,
	    .retry_delay =
		t->retry_delay < 0 ? -1 : (double)t->retry_delay / 1e6,
	    .retry_backoff = (double)t->retry_backoff,
	    .retry_delay_max = (double)t->retry_delay_max / 1e6,
	    .timeout = (double)t->timeout / 1e6};
}

/* Its submitter says all that matters. A command line is not known to bear being
 * run twice: no retries. */
static void
describe_adhoc(struct flowrra_task_type *type)
{
	*type = (struct flowrra_task_type){
	    .name = NAME_ADHOC,
	    .description = "Runs a command (flowrractl run)",
	    .queue = NAME_ADHOC_QUEUE,
	    .start = start,
	    .cancel = cancel,
	    .retry_delay = -1,
	    .retry_backoff = 1};
}

static int configure(const json_t *config, char *error, size_t error_size);

/* Kills what still runs: nobody would read its result. */
static void
fini(void)
{
	captures_done();
	spawner_free(exec.spawner);
	if (exec.base != NULL)
		event_base_free(exec.base);
	declarations_done(&exec.all);
	free(exec.types);
	free(exec.spawner_path);
}

static struct flowrra_module module = {
    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,
    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,
    .name = "exec",
    .version = FLOWRRA_VERSION,
    .task_size = sizeof(struct flowrra_task_type),
    .fini = fini,
    .configure = configure,
};

/* The descriptions are made here, so the module's own struct is not const:
 * configure() is called before the loader reads `tasks`. */
static int
read_config(const json_t *config, struct err *err)
{
	size_t i, n;

	if (declarations_read(&exec.all, config, err) != 0 ||
	    (exec.spawner_path = proc_beside("flowrra-spawner", err)) == NULL)
		return -1;
	if (access(exec.spawner_path, X_OK) != 0)
		return err_sys(err, ERR_CONFIG, "%s", exec.spawner_path);
	n = exec.all.n;
	exec.types = calloc(n + 1, sizeof(*exec.types));
	if (exec.types == NULL)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		describe(exec.all.list[i], &exec.types[i]);
	if (exec.all.store != NULL)
		describe_adhoc(&exec.types[n++]);
	module.tasks = exec.types;
	module.n_tasks = n;
	return 0;
}

static int
configure(const json_t *config, char *error, size_t error_size)
{
	struct err err;

	if (read_config(config, &err) == 0)
		return 0;
	snprintf(error, error_size, "%s", err.msg);
	return -1;
}

__attribute__((visibility("default"))) const struct flowrra_module *
flowrra_module(void)
{
	return &module;
}
