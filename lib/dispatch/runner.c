/* SPDX-License-Identifier: MIT */
/* Executors: started, drained, replaced. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dispatch/state.h"
#include "util/clock.h"
#include "util/log.h"

/* Before the next try, when executors do not come up. */
#define RESPAWN_MS 100
#define RESPAWN_MAX_MS 5000

/* --- generations ------------------------------------------------------- */

static void
generation_free(struct generation *g)
{
	char **m;

	for (m = g->modules; m != NULL && *m != NULL; m++)
		free(*m);
	free(g->modules);
	free(g->config);
	handlers_done(&g->handlers);
	if (g->respawn != NULL)
		event_free(g->respawn);
	free(g);
}

void
generation_release(struct generation *g)
{
	if (--g->users == 0)
		generation_free(g);
}

static char **
copy_list(const char *const *list)
{
	char **copy;
	size_t n;

	for (n = 0; list[n] != NULL; n++)
		;
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return NULL;
	for (n = 0; list[n] != NULL; n++)
		copy[n] = strdup(list[n]);
	return copy;
}

/* Executors do not come up: the next try, later each time. */
static void
respawn_later(struct generation *g)
{
	struct timeval tv;
	int64_t ms = RESPAWN_MS;
	unsigned int i;

	for (i = 0; i < g->failures && ms < RESPAWN_MAX_MS; i++)
		ms *= 2;
	g->failures++;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	if (!evtimer_pending(g->respawn, NULL))
		evtimer_add(g->respawn, &tv);
}

static struct runner *
spawn(struct generation *g, bool cpu)
{
	struct err err;
	struct runner *r = runner_new(g, cpu, &err);

	if (r == NULL) {
		log_error("%s", err.msg);
		respawn_later(g);
	}
	return r;
}

void
runner_spawn_cpu(struct generation *g)
{
	if (!evtimer_pending(g->respawn, NULL))
		spawn(g, true);
}

static void
on_respawn(evutil_socket_t fd, short what, void *arg)
{
	struct generation *g = arg;

	if (g->io == NULL)
		g->io = spawn(g, false);
	dispatch_turn(g->dispatch);
}

struct generation *
generation_new(struct dispatch *d, const struct conf *conf,
	       const struct dispatch_modules *modules, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (g == NULL) {
		err_nomem(err);
		return NULL;
	}
	g->dispatch = d;
	g->conf = conf;
	g->limits = conf->executor;
	g->users = 1;
	g->cpu_max = (unsigned int)conf->executor.cpu_workers;
	if (g->cpu_max == 0)
		g->cpu_max = cores > 0 ? (unsigned int)cores : 1;
	g->modules = copy_list(modules->paths);
	g->config = strdup(modules->config);
	g->respawn = evtimer_new(d->opt.base, on_respawn, g);
	if (g->modules == NULL || g->config == NULL || g->respawn == NULL) {
		generation_free(g);
		err_nomem(err);
		return NULL;
	}
	if ((g->io = runner_new(g, false, err)) == NULL) {
		generation_free(g);
		return NULL;
	}
	return g;
}

/* --- coming up --------------------------------------------------------- */

/* The new generation is up: it takes over. */
static void
take_over(struct generation *g)
{
	struct dispatch *d = g->dispatch;
	struct generation *old = d->current;
	struct runner *r, *next;

	d->next = NULL;
	d->current = g;
	d->conf = g->conf;
	for (r = TAILQ_FIRST(&d->runners); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->generation == old)
			runner_retire(r);
	}
	evtimer_del(old->respawn);
	/* Jobs that are held look their handlers up anew. */
	claim_reroute(d);
	generation_release(old);
	presence_register(d);
	d->opt.on_reloaded(NULL, d->opt.arg);
}

/* What was refused at the start is no reason to stay away; at a reload, the old
 * executors are better than new ones without a module. */
static void
came_up(struct generation *g)
{
	struct dispatch *d = g->dispatch;
	size_t i;

	g->failures = 0;
	if (g->ready)
		return;
	for (i = 0; i < g->handlers.n_refused; i++)
		log_error("%s", g->handlers.refused[i]);
	if (g == d->next && g->handlers.n_refused > 0) {
		struct err why;

		err_set(&why, ERR_CONFIG, "%s", g->handlers.refused[0]);
		runner_abandon_reload(d, &why);
		return;
	}
	g->ready = true;
	if (g->handlers.n == 0)
		log_warning("no module is loaded, so no task can run; name "
			    "some in [worker] modules");
	if (g == d->next) {
		take_over(g);
	} else {
		presence_register(d);
		claim_ask_again(d);
	}
}

void
runner_abandon_reload(struct dispatch *d, const struct err *why)
{
	struct generation *g = d->next;
	struct runner *r, *next;

	d->next = NULL;
	evtimer_del(g->respawn);
	g->io = NULL;
	for (r = TAILQ_FIRST(&d->runners); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (r->generation == g)
			runner_retire(r);
	}
	generation_release(g);
	d->opt.on_reloaded(why, d->opt.arg);
}

static void
on_ready(struct executor_process *c, struct slice json, void *arg)
{
	struct runner *r = arg;
	struct generation *g = r->generation;
	struct err err;

	if (!g->ready && !r->retired &&
	    handlers_read(json, &g->handlers, &err) != 0) {
		log_error("%s", err.msg);
		executor_process_kill(r->child);
		return;
	}
	r->ready = true;
	if (r->retired)
		runner_check(r);
	else
		came_up(g);
	dispatch_turn(r->dispatch);
}

static void
on_message(struct executor_process *c, const struct ipc_message *m, void *arg)
{
	report_message(arg, m);
}

static void
on_line(struct executor_process *c, struct slice line, void *arg)
{
	report_line(arg, line);
}

/* Its place is filled again, at once if it had worked. */
static void
replace_io(struct generation *g, bool had_come_up)
{
	struct dispatch *d = g->dispatch;
	struct err why;

	if (g == d->next) {
		err_set(&why, ERR_UNAVAILABLE,
			"the new executors did not come up");
		runner_abandon_reload(d, &why);
		return;
	}
	g->io = NULL;
	if (g != d->current || d->stopping)
		return;
	if (had_come_up)
		g->io = spawn(g, false);
	else
		respawn_later(g);
}

static void
on_end(struct executor_process *c, const struct executor_exit *end, void *arg)
{
	struct runner *r = arg;
	struct generation *g = r->generation;
	struct dispatch *d = r->dispatch;
	bool was_io = g->io == r;

	report_end(r, end);
	if (was_io)
		replace_io(g, end->ready);
	else if (r->cpu && !end->ready && g == d->current && !d->stopping)
		respawn_later(g);
	runner_free(r);
	dispatch_turn(d);
}

/* A handler that takes more than its share fails, and not the machine. */
static void
limit_memory(const struct runner *r)
{
	const int64_t bytes = r->generation->limits.memory_limit;
	const struct rlimit limit = {.rlim_cur = (rlim_t)bytes,
				     .rlim_max = (rlim_t)bytes};

	if (bytes > 0 &&
	    prlimit(executor_process_pid(r->child), RLIMIT_AS, &limit, NULL))
		log_warning("executor %d: no memory limit could be set: %s",
			    (int)executor_process_pid(r->child),
			    strerrordesc_np(errno));
}

struct runner *
runner_new(struct generation *g, bool cpu, struct err *err)
{
	struct dispatch *d = g->dispatch;
	const struct conf *conf = g->conf;
	struct executor_process_options options = {
	    .base = d->opt.base,
	    .executor = d->opt.executor,
	    .modules = (const char *const *)g->modules,
	    .config = g->config,
	    .threads = cpu ? 1 : (unsigned int)conf->executor.io_workers,
	    .asynchronous = !cpu && conf->executor.async_tasks > 0,
	    .max_result = (unsigned int)conf->executor.max_result_size,
	    .on_ready = on_ready,
	    .on_message = on_message,
	    .on_line = on_line,
	    .on_end = on_end};
	struct runner *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->dispatch = d;
	r->generation = g;
	r->cpu = cpu;
	r->ran_us = 1e5; /* long, until it is known better */
	TAILQ_INIT(&r->jobs);
	options.arg = r;
	if ((r->child = executor_process_new(&options, err)) == NULL) {
		free(r);
		return NULL;
	}
	if (cpu)
		limit_memory(r);
	g->users++;
	TAILQ_INSERT_TAIL(&d->runners, r, link);
	return r;
}

void
runner_free(struct runner *r)
{
	TAILQ_REMOVE(&r->dispatch->runners, r, link);
	executor_process_free(r->child);
	generation_release(r->generation);
	free(r);
}

/* --- jobs -------------------------------------------------------------- */

void
runner_add(struct runner *r, struct job *job)
{
	if (TAILQ_EMPTY(&r->jobs))
		r->moved_ms = clock_mono_ms();
	job->runner = r;
	TAILQ_INSERT_TAIL(&r->jobs, job, link);
	r->count[job->kind]++;
}

void
runner_ended(struct runner *r)
{
	const int64_t most = r->generation->limits.max_tasks_per_child;

	if (r->cpu && most > 0 && ++r->ended >= most && !r->retired)
		runner_retire(r);
}

void
runner_remove(struct runner *r, struct job *job)
{
	TAILQ_REMOVE(&r->jobs, job, link);
	r->count[job->kind]--;
	job->runner = NULL;
	runner_check(r);
}

void
runner_recall(struct runner *r)
{
	if (r->recalling || !r->ready)
		return;
	r->recalling = true;
	executor_process_send(r->child, IPC_RECALL, 0, NULL, NULL, 0);
}

/* --- leaving ----------------------------------------------------------- */

void
runner_retire(struct runner *r)
{
	r->retired = true;
	runner_recall(r);
	runner_check(r);
}

void
runner_check(struct runner *r)
{
	const struct job *job;

	if (r->doomed) {
		TAILQ_FOREACH (job, &r->jobs, link)
			if (!job->overdue)
				return;
		executor_process_kill(r->child);
	} else if (r->retired && r->ready && TAILQ_EMPTY(&r->jobs) &&
		   !r->stopping) {
		r->stopping = true;
		executor_process_send(r->child, IPC_STOP, 0, NULL, NULL, 0);
	}
}

void
runner_doom(struct runner *r)
{
	struct generation *g = r->generation;

	if (r->doomed)
		return;
	r->doomed = true;
	if (g->io == r) {
		g->io = NULL;
		if (g == r->dispatch->current && !r->dispatch->stopping)
			g->io = spawn(g, false);
	}
	runner_recall(r);
	runner_check(r);
	dispatch_turn(r->dispatch);
}
