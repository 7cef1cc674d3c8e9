/* SPDX-License-Identifier: MIT */
/* flowrrad --check: an executor says what it can load. */
#include "check.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/time.h>

#include "modules.h"
#include "pool/handlers.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/proc.h"

/* An executor has ten seconds to come up before it is killed; this is longer,
 * so that its log says so first. */
#define CHECK_S 12

struct check {
	struct event_base *base;
	struct pool *pool;
	bool ready;
	struct err why; /* it cannot get ready; ERR_NONE: not known yet */
};

static void
on_check_ready(void *arg)
{
	struct check *check = arg;

	check->ready = true;
	event_base_loopbreak(check->base);
}

/* A module that ends its executor does so each time. */
static void
on_check_change(void *arg)
{
	struct check *check = arg;

	if (check->pool != NULL && pool_start_failed(check->pool, &check->why))
		event_base_loopbreak(check->base);
}

/* No job is given to the pool, so it has no other news. */
static const struct pool_events check_events = {.on_ready = on_check_ready,
						.on_change = on_check_change};

static int
check_result(const struct check *check, struct err *err)
{
	size_t n;

	if (!check->ready && check->why.code != ERR_NONE) {
		*err = check->why;
		return -1;
	}
	if (!check->ready)
		return err_set(err, ERR_SYSTEM,
			       "no executor has come up within %d s", CHECK_S);
	n = pool_handlers(check->pool)->n_refused;
	if (n > 0)
		return err_set(
		    err, ERR_CONFIG,
		    "%zu of its modules and commands cannot be loaded", n);
	return 0;
}

static int
check_with(struct check *check, const struct conf *conf,
	   const struct modules *modules, const char *executor, struct err *err)
{
	const struct timeval tv = {.tv_sec = CHECK_S};
	const struct pool_options options = {.base = check->base,
					     .executor = executor,
					     .conf = &conf->executor,
					     .modules =
						 modules_loadable(modules),
					     .events = &check_events,
					     .arg = check};

	if ((check->pool = pool_new(&options, err)) == NULL)
		return -1;
	event_base_loopexit(check->base, &tv);
	event_base_dispatch(check->base);
	return check_result(check, err);
}

int
check_modules(const struct conf *conf, struct err *err)
{
	struct check check = {.base = event_base_new()};
	char *executor =
	    proc_beside("../libexec/flowrra/flowrra-executor", err);
	struct modules modules = {.paths = NULL};
	int status = -1;

	if (check.base == NULL)
		err_nomem(err);
	else if (executor != NULL && modules_read(conf, &modules, err) == 0)
		status = check_with(&check, conf, &modules, executor, err);
	pool_free(check.pool);
	modules_done(&modules);
	if (check.base != NULL)
		event_base_free(check.base);
	free(executor);
	return status;
}
