/* SPDX-License-Identifier: MIT */
/*
 * Generations: the executors of one configuration. A reload makes another one,
 * which takes over when its first executor is up with all modules.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/executor.h"
#include "util/err.h"
#include "util/log.h"

/* Before the next try, when executors do not come up. */
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

static void
on_respawn(evutil_socket_t fd, short what, void *arg)
{
	struct generation *g = arg;

	if (g->io == NULL)
		g->io = generation_spawn(g, false);
	pool_changed(g->pool);
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
	if ((g->io = executor_new(g, false, err)) == NULL) {
		generation_free(g);
		return NULL;
	}
	return g;
}

/* --- starting executors ------------------------------------------------ */

/* Executors do not come up: the next try, later each time. */
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

bool
generation_is_waiting(const struct generation *g)
{
	return evtimer_pending(g->respawn, NULL) != 0;
}

struct executor *
generation_spawn(struct generation *g, bool cpu)
{
	struct err err;
	struct executor *e = executor_new(g, cpu, &err);

	if (e == NULL) {
		log_error("%s", err.msg);
		generation_respawn_later(g);
	}
	return e;
}

/* The place of the io executor is filled again, at once if it had worked. */
static void
replace_io(struct generation *g, bool had_come_up)
{
	struct pool *p = g->pool;
	struct err why;

	if (g == p->next) {
		err_set(&why, ERR_UNAVAILABLE,
			"the new executors did not start");
		generation_abandon_reload(p, &why);
		return;
	}
	g->io = NULL;
	if (g != p->current || p->phase != POOL_OPEN)
		return;
	if (had_come_up)
		g->io = generation_spawn(g, false);
	else
		generation_respawn_later(g);
}

void
generation_lost(struct generation *g, const struct executor *e,
		bool had_come_up)
{
	if (g->io == e)
		replace_io(g, had_come_up);
	else if (e->cpu && !had_come_up && g == g->pool->current &&
		 g->pool->phase == POOL_OPEN)
		generation_respawn_later(g);
}

/* --- reload ------------------------------------------------------------ */

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

/* The new generation is up. */
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

void
generation_abandon_reload(struct pool *p, const struct err *why)
{
	struct generation *g = p->next;

	p->next = NULL;
	g->io = NULL;
	generation_retire_all(g);
	generation_release(g);
	p->events->on_reloaded(why, p->opt.arg);
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
