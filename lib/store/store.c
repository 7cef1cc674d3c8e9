/* SPDX-License-Identifier: MIT */
/*
 * Opening the stores of a configuration, and the table of all stores.
 *
 * A worker, the scheduler and a client all begin here. What a configuration says
 * about its stores is turned into options in this file only.
 */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "codec/task_json.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/conf.h"
#include "util/findings.h"

/* Durations of a configuration are in µs, those of the stores in ms. */
#define US_PER_MS 1000

/* The first one is the standard: see store_find(). */
static const struct store stores[] = {
#define STORE(name) {&broker_##name, &results_##name},
#include "store/stores.def"
#undef STORE
};

static bool
store_has_scheme(const struct store *store, const char *url)
{
	const char *const *scheme;

	/* A store has the same schemes for queues and for records. */
	for (scheme = store->broker->schemes; *scheme != NULL; scheme++)
		if (strncmp(url, *scheme, strlen(*scheme)) == 0)
			return true;
	return false;
}

const struct store *
store_find(const char *url, const char *section, struct err *err)
{
	size_t i;

	/* No URL is what a first try has: it must work without a server. */
	if (url == NULL || url[0] == '\0')
		return &stores[0];
	for (i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (store_has_scheme(&stores[i], url))
			return &stores[i];
	err_set(err, ERR_CONFIG,
		"[%s] url: unknown kind of %s; the URL must begin with "
		"sqlite://, redis://, rediss://, redis+sentinel://, "
		"rediss+sentinel://, redis+cluster://, rediss+cluster:// or "
		"unix://",
		section, section);
	return NULL;
}

/* --- what a configuration says ----------------------------------------- */

/* No URL of its own means the broker's. */
static bool
backend_is_broker(const struct conf *conf)
{
	const char *url = conf->backend.url;

	/* As texts: "redis://a" and "redis://a:6379" count as two. That is
	 * safe, see store.h, and a comparison by meaning would be the
	 * stores' own business. */
	return url == NULL || url[0] == '\0' ||
	       strcmp(url, conf->broker.url) == 0;
}

bool
stores_are_one(const struct conf *conf)
{
	const struct store *store =
	    store_find(conf->broker.url, "broker", NULL);

	return backend_is_broker(conf) &&
	       (store == NULL || store->broker->is_spread == NULL ||
		!store->broker->is_spread(conf->broker.url));
}

bool
stores_queues_are_elsewhere(const struct conf *conf)
{
	const struct store *store =
	    store_find(conf->broker.url, "broker", NULL);

	return store != NULL && store->broker->is_elsewhere != NULL &&
	       store->broker->is_elsewhere(conf->broker.url);
}

int64_t
stores_results_timeout_ms(const struct conf *conf)
{
	return (backend_is_broker(conf) ? conf->broker.socket_timeout
					: conf->backend.socket_timeout) /
	       US_PER_MS;
}

int
stores_check_url(const char *url, const char *section, struct err *err)
{
	const struct store *store = store_find(url, section, err);

	if (store == NULL)
		return -1;
	if (store->broker->check_url(url, err) != 0)
		return err_prefix(err, "[%s] url", section);
	return 0;
}

int
stores_check(const struct conf *conf, struct err *err)
{
	if (stores_check_url(conf->broker.url, "broker", err) != 0)
		return -1;
	return backend_is_broker(conf)
		   ? 0
		   : stores_check_url(conf->backend.url, "backend", err);
}

static int
stores_check_place(const char *url, const char *section, struct err *err)
{
	const struct store *store;

	if (stores_check_url(url, section, err) != 0)
		return -1;
	store = store_find(url, section, err);
	return store->broker->check_makeable == NULL
		   ? 0
		   : store->broker->check_makeable(url, err);
}

static void
stores_examine_url(const struct conf *conf, const char *url,
		   const char *section, struct findings *findings)
{
	struct err err;

	if (stores_check_place(url, section, &err) == 0)
		return;
	conf_prefix_place(conf, section, "url", &err);
	findings_add(findings, &err);
}

void
stores_examine(const struct conf *conf, struct findings *findings)
{
	stores_examine_url(conf, conf->broker.url, "broker", findings);
	if (!backend_is_broker(conf))
		stores_examine_url(conf, conf->backend.url, "backend",
				   findings);
}

static char *
stores_name(const char *url, const char *section, struct err *err)
{
	const struct store *store = store_find(url, section, err);

	return store != NULL ? store->broker->url_name(url, err) : NULL;
}

int
stores_names(const struct conf *conf, char *names[], struct err *err)
{
	const char *results =
	    stores_are_one(conf) ? conf->broker.url : conf->backend.url;
	char *tasks = stores_name(conf->broker.url, "broker", err);

	names[CONF_STORE_BROKER] = names[CONF_STORE_BACKEND] = NULL;
	if (tasks == NULL)
		return -1;
	names[CONF_STORE_BACKEND] = stores_name(results, "backend", err);
	if (names[CONF_STORE_BACKEND] == NULL) {
		free(tasks);
		return -1;
	}
	names[CONF_STORE_BROKER] = tasks;
	return 0;
}

static struct broker *
stores_open_broker(const struct stores_options *o, struct err *err)
{
	const struct conf *conf = o->conf;
	const struct broker_options options = {
	    .base = o->base,
	    .url = conf->broker.url,
	    .queue_key = conf->broker.queue_key,
	    .timeout_ms = conf->broker.socket_timeout / US_PER_MS,
	    .max_connections = conf->broker.max_connections,
	    .max_queue_size = conf->executor.max_queue_size,
	    .replicas = conf->broker.replicas,
	    .replicas_on_disk = conf->broker.replicas_on_disk,
	    /* Then a task and its record are stored in one step. */
	    .with_results = stores_are_one(conf),
	    .has_records = backend_is_broker(conf),
	    .creates = o->creates,
	    .worker = o->worker,
	    .token = o->token,
	    .predecessor = o->predecessor,
	    .queues = o->queues,
	    .n_queues = o->n_queues,
	    /* A task may be submitted at its full size; what a retry adds to it
	     * must not send it to the dead list. */
	    .max_task = (size_t)conf->worker.max_task_size + TASK_AGAIN_MAX,
	    .on_claim = o->on_claim,
	    .on_lost = o->on_lost,
	    .on_kept = o->on_kept,
	    .on_idle = o->on_idle,
	    .on_control = o->on_control,
	    .on_trimmed = o->on_trimmed,
	    .on_pending = o->on_pending,
	    .on_state = o->on_broker_state,
	    .may_block = o->may_block,
	    .arg = o->arg};

	return (o->open_broker != NULL ? o->open_broker : broker_open)(&options,
								       err);
}

struct results *
stores_open_results(const struct stores_options *o, struct err *err)
{
	const struct conf *conf = o->conf;
	const struct results_options options = {
	    .base = o->base,
	    .url =
		backend_is_broker(conf) ? conf->broker.url : conf->backend.url,
	    .has_queues = backend_is_broker(conf),
	    .timeout_ms = stores_results_timeout_ms(conf),
	    .max_connections = conf->backend.max_connections,
	    .examine = o->worker != NULL && !stores_are_one(conf),
	    .on_state = o->on_results_state,
	    .may_block = o->may_block,
	    .arg = o->arg};

	return (o->open_results != NULL ? o->open_results
					: results_open)(&options, err);
}

int
stores_open(const struct stores_options *options, struct stores *ret,
	    struct err *err)
{
	struct stores s = {.one = stores_are_one(options->conf),
			   .claims_count = backend_is_broker(options->conf)};

	if ((s.broker = stores_open_broker(options, err)) == NULL)
		return -1;
	/* Broker first: of two wrong URLs, the first one is what a new user
	 * has to set. */
	if (!(s.one && options->results_later) &&
	    (s.results = stores_open_results(options, err)) == NULL) {
		broker_close(s.broker);
		return -1;
	}
	*ret = s;
	return 0;
}
