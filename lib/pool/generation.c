/* SPDX-License-Identifier: MIT */
/*
 * Generations: the executors of one configuration. A reload makes another one,
 * which takes over when its first executor is up with all modules; until then
 * the current one works on, so that a bad configuration costs nothing.
 *
 * A generation outlives its turn: executors of before finish what they run with
 * the limits and modules that they were started with. `users` counts those
 * executors, and one more for being the pool's current or next generation.
 */
#include "pool/generation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"

/*
 * Before the next try, when executors do not come up: doubled with each
 * failure. What is wrong (a module that cannot be loaded, too little memory)
 * seldom mends itself at once, and processes that are started a thousand times
 * a second take the machine away from those that work. 5 s are short enough
 * that nobody restarts the worker after mending it.
 */
#define RESPAWN_MS 100
#define RESPAWN_MAX_MS 5000

/* --- new and free ------------------------------------------------------ */

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

/* A copy, which generation_free() can take also if a strdup() failed in it: the
 * list then just ends early. */
static char **
copy_modules(const char *const *list)
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

/* --- starting executors ------------------------------------------------ */

/* The only place where executors begin; generation_drop() is where they end. */
static struct executor *
generation_start(struct generation *g, bool cpu, struct err *err)
{
	struct pool *p = g->pool;
	const struct executor_options options = {
	    .base = p->opt.base,
	    .program = p->opt.executor,
	    .modules = (const char *const *)g->modules,
	    .config = g->config,
	    .limits = &g->limits,
	    .cpu = cpu,
	    .events = p->executor_events,
	    .generation = g};
	struct executor *e = executor_new(&options, err);

	if (e == NULL)
		return NULL;
	g->users++;
	TAILQ_INSERT_TAIL(&p->executors, e, link);
	return e;
}

/* The executor first: its handlers and limits are the generation's. */
void
generation_drop(struct executor *e)
{
	struct generation *g = e->generation;

	TAILQ_REMOVE(&g->pool->executors, e, link);
	executor_free(e);
	generation_release(g);
}

bool
generation_is_waiting(const struct generation *g)
{
	return evtimer_pending(g->respawn, NULL) != 0;
}

/*
 * Executors do not come up: the next try, later each time. One timer serves io
 * and cpu executors: they load the same modules, so what stops one of them is
 * likely to stop all. An executor that comes up resets the count.
 */
static void
generation_respawn_later(struct generation *g)
{
	struct timeval tv;
	int64_t ms = RESPAWN_MS;
	unsigned int i;

	for (i = 0; i < g->failures && ms < RESPAWN_MAX_MS; i++)
		ms *= 2;
	g->failures++;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	if (!generation_is_waiting(g))
		evtimer_add(g->respawn, &tv);
}

/* Tasks wait, and no attempt of theirs is charged: of what is short for a while
 * it is enough to hear now and then. */
void
generation_warn(const struct err *why)
{
	char limit[LIMITS_TEXT_MAX];

	if (!limits_is_short(why->sys)) {
		log_error("%s", why->msg);
	} else if (limits_warning_due(why->sys)) {
		limits_explain(why->sys, limit);
		log_warning("tasks wait for an executor: %s: %s", why->msg,
			    limit);
	}
}

/* Starts an executor, or tries again later; NULL for now in that case. */
static struct executor *
generation_spawn(struct generation *g, bool cpu)
{
	struct err err;
	struct executor *e = generation_start(g, cpu, &err);

	if (e == NULL) {
		generation_warn(&err);
		generation_respawn_later(g);
	}
	return e;
}

void
generation_start_cpu(struct generation *g)
{
	generation_spawn(g, true);
}

/* Whether it is to have executors: it is in force, and the pool is not ending.
 * The next generation gets one chance, and no replacement. */
static bool
generation_is_wanted(const struct generation *g)
{
	return g == g->pool->current && g->pool->phase == POOL_OPEN;
}

/* The io executor is always to be there. Cpu executors are started when there
 * are jobs for them: the user hears that it may ask for one again. */
static void
on_respawn(evutil_socket_t fd, short what, void *arg)
{
	struct generation *g = arg;
	const struct pool *p = g->pool;

	if (!generation_is_wanted(g))
		return;
	if (g->io == NULL)
		g->io = generation_spawn(g, false);
	p->events->on_change(p->opt.arg);
}

struct generation *
generation_new(struct pool *p, const struct conf_executor *conf,
	       const struct pool_modules *modules, struct err *err)
{
	struct generation *g = calloc(1, sizeof(*g));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (g == NULL) {
		err_nomem(err);
		return NULL;
	}
	g->pool = p;
	g->limits = *conf;
	g->users = 1;
	g->cpu_max = (unsigned int)conf->cpu_workers;
	if (g->cpu_max == 0)
		g->cpu_max = cores > 0 ? (unsigned int)cores : 1;
	g->modules = copy_modules(modules->paths);
	g->config = strdup(modules->config);
	g->respawn = evtimer_new(p->opt.base, on_respawn, g);
	if (g->modules == NULL || g->config == NULL || g->respawn == NULL) {
		generation_free(g);
		err_nomem(err);
		return NULL;
	}
	/* That the program cannot be started at all is for the caller to know
	 * now; later it is a reason to try again. What is short may be there in
	 * a moment; but a reload can be had again, too. */
	if ((g->io = generation_start(g, false, err)) != NULL)
		return g;
	if (p->current != NULL || !limits_is_short(err->sys)) {
		generation_free(g);
		return NULL;
	}
	generation_warn(err);
	generation_respawn_later(g);
	return g;
}

/* --- executors that end ------------------------------------------------ */

void
generation_replace(struct generation *g, const struct executor *e)
{
	if (g->io != e)
		return;
	g->io = NULL;
	if (generation_is_wanted(g))
		g->io = generation_spawn(g, false);
}

static void
generation_retire_all(struct generation *g)
{
	struct executor *e, *next;

	for (e = TAILQ_FIRST(&g->pool->executors); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->generation == g)
			executor_retire(e);
	}
	evtimer_del(g->respawn);
}

/* A reload failed: the old executors stay. */
static void
generation_abandon_reload(struct pool *p, const struct err *why)
{
	struct generation *g = p->next;

	p->next = NULL;
	g->io = NULL;
	generation_retire_all(g);
	generation_release(g);
	p->events->on_reloaded(why, p->opt.arg);
}

/* The io executor has ended: it is replaced, at once if it had worked. */
static void
generation_lost_io(struct generation *g, const struct executor *e,
		   bool had_come_up)
{
	struct pool *p = g->pool;
	struct err why;

	if (g == p->next) {
		err_set(&why, ERR_UNAVAILABLE,
			"the new executors did not start");
		generation_abandon_reload(p, &why);
	} else if (had_come_up) {
		generation_replace(g, e);
	} else {
		g->io = NULL;
		if (generation_is_wanted(g))
			generation_respawn_later(g);
	}
}

/* A cpu executor that worked needs no replacement now: its jobs go back to the
 * user, who asks for one if there is no room for them. */
void
generation_lost(struct generation *g, const struct executor *e,
		bool had_come_up)
{
	if (g->io == e)
		generation_lost_io(g, e, had_come_up);
	else if (e->cpu && !had_come_up && generation_is_wanted(g))
		generation_respawn_later(g);
}

/* --- executors that come up -------------------------------------------- */

/* The new generation is up. The old one goes after on_reloaded: until then the
 * user may hold on to its handlers. */
static void
generation_take_over(struct generation *g)
{
	struct pool *p = g->pool;
	struct generation *old = p->current;

	p->next = NULL;
	p->current = g;
	generation_retire_all(old);
	p->events->on_reloaded(NULL, p->opt.arg);
	generation_release(old);
}

/* All executors of a generation load the same modules: the description of the
 * first one is that of all, and need not be compared. */
int
generation_describe(struct generation *g, struct slice json, struct err *err)
{
	return g->ready ? 0 : handlers_read(json, &g->handlers, err);
}

/* What was refused at the start is no reason to stay away; at a reload, the old
 * executors are better than new ones without a module. */
void
generation_came_up(struct generation *g)
{
	struct pool *p = g->pool;
	size_t i;

	g->failures = 0;
	if (g->ready)
		return;
	for (i = 0; i < g->handlers.n_refused; i++)
		log_error("%s", g->handlers.refused[i]);
	if (g == p->next && g->handlers.n_refused > 0) {
		struct err why;

		err_set(&why, ERR_CONFIG, "%s", g->handlers.refused[0]);
		generation_abandon_reload(p, &why);
		return;
	}
	g->ready = true;
	if (g->handlers.n == 0)
		log_warning("no module is loaded, so no task can run; set "
			    "[worker] modules");
	if (g == p->next)
		generation_take_over(g);
	else
		p->events->on_ready(p->opt.arg);
}
