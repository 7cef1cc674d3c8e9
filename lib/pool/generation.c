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
	enum executor_side side;
	char **m;

	for (m = g->modules; m != NULL && *m != NULL; m++)
		free(*m);
	for (side = 0; side < EXECUTOR_SIDES; side++) {
		handlers_done(&g->sides[side].handlers);
		free(g->sides[side].modules);
		/* It may have credentials of modules. */
		if (g->sides[side].config != NULL)
			explicit_bzero(g->sides[side].config,
				       strlen(g->sides[side].config));
		free(g->sides[side].config);
	}
	free(g->modules);
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
generation_start(struct generation *g, enum executor_role role,
		 enum executor_side side, struct err *err)
{
	struct pool *p = g->pool;
	const struct executor_options options = {
	    .base = p->opt.base,
	    .program = p->opt.executor,
	    .modules = g->sides[side].modules,
	    .config = g->sides[side].config,
	    .limits = &g->limits,
	    .role = role,
	    .side = side,
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
generation_spawn(struct generation *g, enum executor_role role,
		 enum executor_side side)
{
	struct err err;
	struct executor *e = generation_start(g, role, side, &err);

	if (e == NULL) {
		generation_warn(&err);
		generation_respawn_later(g);
	}
	return e;
}

void
generation_start_one(struct generation *g, enum executor_role role,
		     enum executor_side side)
{
	generation_spawn(g, role, side);
}

/* Whether it is to have executors: it is in force, and the pool is not ending.
 * The next generation gets one chance, and no replacement. */
static bool
generation_is_wanted(const struct generation *g)
{
	return g == g->pool->current && g->pool->phase == POOL_OPEN;
}

/* The io executor is always to be there. Others are started when there are jobs
 * for them: the user hears that it may ask for one again. */
static void
on_respawn(evutil_socket_t fd, short what, void *arg)
{
	struct generation *g = arg;
	const struct pool *p = g->pool;
	enum executor_side side;

	if (!generation_is_wanted(g))
		return;
	for (side = 0; side < EXECUTOR_SIDES; side++)
		if (generation_has(g, side) && g->sides[side].io == NULL)
			g->sides[side].io =
			    generation_spawn(g, EXECUTOR_IO, side);
	p->events->on_change(p->opt.arg);
}

/* No modules at all are loaded by executors, too: they say so. */
bool
generation_has(const struct generation *g, enum executor_side side)
{
	return g->sides[side].modules[0] != NULL ||
	       (side == EXECUTOR_MODULES &&
		g->sides[EXECUTOR_COMMANDS].modules[0] == NULL);
}

/* Divides the modules; -1 when memory runs out. */
static int
generation_divide(struct generation *g, const struct pool_modules *modules)
{
	const char *commands = modules->commands;
	const char *const configs[EXECUTOR_SIDES] = {
	    [EXECUTOR_MODULES] = modules->config,
	    [EXECUTOR_COMMANDS] = modules->commands_config != NULL
				      ? modules->commands_config
				      : modules->config};
	size_t n = 0, taken[EXECUTOR_SIDES] = {0};
	enum executor_side side;
	char **m;

	while (g->modules[n] != NULL)
		n++;
	for (side = 0; side < EXECUTOR_SIDES; side++) {
		g->sides[side].modules = calloc(n + 1, sizeof(char *));
		g->sides[side].config = strdup(configs[side]);
		if (g->sides[side].modules == NULL ||
		    g->sides[side].config == NULL)
			return -1;
	}
	for (m = g->modules; *m != NULL; m++) {
		side = commands != NULL && strcmp(*m, commands) == 0
			   ? EXECUTOR_COMMANDS
			   : EXECUTOR_MODULES;
		g->sides[side].modules[taken[side]++] = *m;
	}
	return 0;
}

/* That the program cannot be started at all is for the caller to know now;
 * later it is a reason to try again. */
static int
generation_start_io(struct generation *g, struct err *err)
{
	enum executor_side side;

	for (side = 0; side < EXECUTOR_SIDES; side++) {
		if (!generation_has(g, side))
			continue;
		g->sides[side].io = generation_start(g, EXECUTOR_IO, side, err);
		if (g->sides[side].io == NULL)
			return -1;
	}
	return 0;
}

struct generation *
generation_new(struct pool *p, const struct conf_executor *conf,
	       const struct pool_modules *modules, struct err *err)
{
	const char *const *refused = modules->refused;
	struct generation *g = calloc(1, sizeof(*g));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t i;

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
	for (i = 0; refused != NULL && refused[i] != NULL; i++)
		if (handlers_refuse(&g->handlers, refused[i], err) != 0) {
			generation_free(g);
			return NULL;
		}
	g->respawn = evtimer_new(p->opt.base, on_respawn, g);
	if (g->modules == NULL || g->respawn == NULL ||
	    generation_divide(g, modules) != 0) {
		generation_free(g);
		err_nomem(err);
		return NULL;
	}
	if (generation_start_io(g, err) == 0)
		return g;
	/* What is short may be there in a moment, when the missing side is
	 * tried again; but a reload can be had again, too. */
	if (p->current == NULL && limits_is_short(err->sys)) {
		generation_warn(err);
		generation_respawn_later(g);
		return g;
	}
	/* The first side may have been started, the second was not. */
	if (g->sides[EXECUTOR_MODULES].io != NULL)
		generation_drop(g->sides[EXECUTOR_MODULES].io);
	generation_release(g);
	return NULL;
}

/* --- executors that end ------------------------------------------------ */

void
generation_replace(struct generation *g, const struct executor *e)
{
	struct generation_side *side = &g->sides[e->side];

	if (side->io != e)
		return;
	side->io = NULL;
	if (generation_is_wanted(g))
		side->io = generation_spawn(g, EXECUTOR_IO, e->side);
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
	enum executor_side side;

	p->next = NULL;
	for (side = 0; side < EXECUTOR_SIDES; side++)
		g->sides[side].io = NULL;
	generation_retire_all(g);
	generation_release(g);
	p->events->on_reloaded(why, p->opt.arg);
}

/* It did not come up: by a module, if one was being loaded. */
static void
generation_say_why(const struct executor_exit *end, struct err *why)
{
	const char *name = sigabbrev_np(end->signal);

	if (end->loading == NULL)
		err_set(why, ERR_UNAVAILABLE,
			"the new executors did not start");
	else if (end->signal != 0)
		err_set(why, ERR_CONFIG,
			"module %s: it ends the process that loads it: killed "
			"by SIG%s",
			end->loading, name != NULL ? name : "?");
	else
		err_set(why, ERR_CONFIG,
			"module %s: it ends the process that loads it: exit "
			"status %d",
			end->loading, end->status);
}

/* The io executor has ended: it is replaced, at once if it had worked. */
static void
generation_lost_io(struct generation *g, const struct executor *e,
		   const struct executor_exit *end)
{
	const bool had_come_up = end->ready;
	struct pool *p = g->pool;
	struct err why;

	generation_say_why(end, &why);
	if (end->loading != NULL) {
		log_error("%s", why.msg);
		p->start_failed = why;
	}
	if (g == p->next) {
		generation_abandon_reload(p, &why);
	} else if (had_come_up) {
		generation_replace(g, e);
	} else {
		g->sides[e->side].io = NULL;
		if (generation_is_wanted(g))
			generation_respawn_later(g);
	}
}

/* One of the others that worked needs no replacement now: its jobs go back to
 * the user, who asks for one if there is no room for them. */
void
generation_lost(struct generation *g, const struct executor *e,
		const struct executor_exit *end)
{
	if (g->sides[e->side].io == e)
		generation_lost_io(g, e, end);
	else if (e->role != EXECUTOR_IO && !end->ready &&
		 generation_is_wanted(g))
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

/* All executors of a side load the same modules: the description of the first
 * one is that of all, and need not be compared. */
int
generation_describe(struct executor *e, struct slice json, struct err *err)
{
	struct generation_side *side = &e->generation->sides[e->side];

	struct handlers *all = &e->generation->handlers;

	if (side->ready)
		return 0;
	if (handlers_read(json, &side->handlers, err) != 0)
		return -1;
	/* Now, when a failure can still be told: none may get lost later. */
	if (handlers_reserve(all, side->handlers.n, side->handlers.n_refused,
			     err) == 0)
		return 0;
	handlers_done(&side->handlers);
	return -1;
}

/* Brings the handlers of the sides together; true when all are known. */
static bool
generation_is_complete(struct generation *g)
{
	enum executor_side side;

	for (side = 0; side < EXECUTOR_SIDES; side++)
		if (generation_has(g, side) && !g->sides[side].ready)
			return false;
	for (side = 0; side < EXECUTOR_SIDES; side++)
		handlers_add(&g->handlers, &g->sides[side].handlers,
			     side == EXECUTOR_COMMANDS);
	return true;
}

/* What was refused at the start does not keep the worker away; at a reload, the
 * old executors are better than new ones without a module. */
static void
generation_is_up(struct generation *g)
{
	struct pool *p = g->pool;
	size_t i;

	for (i = 0; i < g->handlers.n_refused; i++)
		log_error("%s", g->handlers.refused[i]);
	if (g == p->next && g->handlers.n_refused > 0) {
		struct err why;

		err_set(&why, ERR_CONFIG, "%s", g->handlers.refused[0]);
		generation_abandon_reload(p, &why);
		return;
	}
	g->ready = true;
	if (g->handlers.n == 0 && g->handlers.n_refused == 0)
		log_warning("no module is loaded, so no task can run; set "
			    "[worker] modules");
	if (g == p->next)
		generation_take_over(g);
	else
		p->events->on_ready(p->opt.arg);
}

void
generation_came_up(struct executor *e)
{
	struct generation *g = e->generation;

	g->failures = 0;
	g->pool->start_failed = (struct err)ERR_INIT;
	g->sides[e->side].ready = true;
	if (!g->ready && generation_is_complete(g))
		generation_is_up(g);
}
