/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing a client, and what every public call begins and ends
 * with: the check for fork() and the caller's error.
 *
 * A client is a configuration, a loop that its threads share (loop.h), and two
 * stores. All calls of the library run on that loop.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/foreign.h"
#include "client/put.h"
#include "client/registry.h"
#include "core/task.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/conf.h"

/* What a caller must at least know of the options. A smaller size is not an
 * older version, but a struct that was never initialized. */
#define OPTIONS_MIN (offsetof(struct flowrra_options, backend_url))

const char *
flowrra_version(void)
{
	return FLOWRRA_VERSION;
}

void
flowrra_free(void *json)
{
	free(json);
}

int
client_fail(struct flowrra_error *error, const struct err *err)
{
	if (error == NULL)
		return -1;
	/* The numbers inside may change, those outside never do. */
	error->code = err_exit_status(err->code);
	memcpy(error->message, err->msg, sizeof(error->message));
	return -1;
}
_Static_assert(sizeof(((struct flowrra_error *)0)->message) == ERR_MSG_MAX,
	       "messages fit");
_Static_assert(FLOWRRA_ID_SIZE == TASK_ID_MAX + 1, "ids fit");

/* A child that used its parent's connections would mix its commands with the
 * parent's, and take answers that are not its own. */
int
client_check(const struct flowrra_client *c, struct err *err)
{
	if (c->pid != getpid())
		return err_set(err, ERR_USAGE,
			       "this client was opened by the parent process; "
			       "open one after fork()");
	return 0;
}

static void
on_client_broker_state(bool up, bool final, const struct err *why, void *arg)
{
	struct flowrra_client *c = arg;

	c->silent &= !up;
	readiness_set(&c->broker_ready, up, final, why);
}

static void
on_client_results_state(bool up, bool final, const struct err *why, void *arg)
{
	struct flowrra_client *c = arg;

	c->silent &= !up;
	readiness_set(&c->results_ready, up, final, why);
}

static bool
client_may_block(void *arg)
{
	const struct flowrra_client *c = arg;

	return loop_may_block(c->loop);
}

/* Of both stores, whenever they are opened; borrows from the client. */
static struct stores_options
client_stores(struct flowrra_client *c)
{
	return (struct stores_options){
	    .base = loop_base(c->loop),
	    .conf = c->conf,
	    .on_broker_state = on_client_broker_state,
	    .on_results_state = on_client_results_state,
	    .may_block = client_may_block,
	    .arg = c,
	    .results_later = true};
}

struct results *
client_results(struct flowrra_client *c, struct err *err)
{
	const struct stores_options options = client_stores(c);

	/* Only on the loop, so no lock is needed for "the first use". */
	if (c->results == NULL)
		c->results = stores_open_results(&options, err);
	return c->results;
}

static int
client_open_stores(struct flowrra_client *c, struct err *err)
{
	const struct stores_options options = client_stores(c);
	struct stores stores;

	if (stores_open(&options, &stores, err) != 0)
		return -1;
	c->broker = stores.broker;
	c->results = stores.results;
	c->one_store = stores.one;
	return 0;
}

/* A URL that the caller gives goes before the configured one. */
static int
replace_string(char **value, const char *with, struct err *err)
{
	char *copy;

	if (with == NULL)
		return 0;
	if ((copy = strdup(with)) == NULL)
		return err_nomem(err);
	free(*value);
	*value = copy;
	return 0;
}

/* A URL that the program gives is its own choice; those of the configuration
 * must be what the services of this machine use. */
static int
client_take_urls(struct conf *conf, const struct flowrra_options *options,
		 struct err *err)
{
	if ((options->broker_url == NULL &&
	     conf_check_client(conf, CONF_STORE_BROKER, err) != 0) ||
	    (options->backend_url == NULL &&
	     conf_check_client(conf, CONF_STORE_BACKEND, err) != 0))
		return -1;
	return replace_string(&conf->broker.url, options->broker_url, err) !=
			   0 ||
		       replace_string(&conf->backend.url, options->backend_url,
				      err) != 0
		   ? -1
		   : 0;
}

static int
client_configure(struct flowrra_client *c, const struct flowrra_options *given,
		 struct err *err)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;

	if (given != NULL && given->size < OPTIONS_MIN) {
		err_set(err, ERR_USAGE, "begin with FLOWRRA_OPTIONS_INIT");
		return -1;
	}
	/* A newer caller may know more members than we do: those are left
	 * out. An older one knows fewer: they keep their defaults. */
	if (given != NULL)
		memcpy(&options, given,
		       given->size < sizeof(options) ? given->size
						     : sizeof(options));
	if (conf_load(options.config_file, options.settings, &c->conf, err) !=
		0 ||
	    client_take_urls(c->conf, &options, err) != 0)
		return -1;
	return 0;
}

/* Frees a client that may be half open. The stores go first, since their
 * connections are events of the loop. */
static void
client_free(struct flowrra_client *c)
{
	results_close(c->results);
	put_drop(c);
	broker_close(c->broker);
	foreign_free(c->foreign);
	loop_free(c->loop);
	registry_free(c->registry);
	if (!c->conf_lent)
		conf_free(c->conf);
	free(c);
}

static bool
client_look(void *arg)
{
	const struct flowrra_client *c = arg;

	return broker_look(c->broker);
}

static void
client_push(void *arg)
{
	const struct flowrra_client *c = arg;

	broker_push(c->broker);
}

static void
client_init_readiness(struct flowrra_client *c)
{
	readiness_init(&c->broker_ready, loop_base(c->loop),
		       c->conf->broker.socket_timeout / 1000);
	readiness_init(&c->results_ready, loop_base(c->loop),
		       stores_results_timeout_ms(c->conf));
}

/* The configuration is there. */
static int
client_open(struct flowrra_client *c, struct err *err)
{
	TAILQ_INIT(&c->puts);
	if ((c->registry = registry_new(err)) == NULL ||
	    (c->loop = loop_new(err)) == NULL)
		return -1;
	/* Before the stores, whose callbacks report to it. */
	client_init_readiness(c);
	loop_set_direct(c->loop,
			&(struct loop_direct){client_look, client_push, c});
	return client_open_stores(c, err);
}

/* A store is given half of it, for an operation may wait twice: for one store
 * and then for the other, or behind somebody else's question and then for its
 * own. The stores take their time from the configuration when they are opened,
 * so they are opened again. */
int
client_set_deadline(struct flowrra_client *c, int64_t ms, struct err *err)
{
	const int64_t half_us = ms * 1000 / 2;
	struct conf *conf = c->conf;

	if (conf->broker.socket_timeout > half_us)
		conf->broker.socket_timeout = half_us;
	if (conf->backend.socket_timeout > half_us)
		conf->backend.socket_timeout = half_us;
	results_close(c->results);
	broker_close(c->broker);
	c->results = NULL;
	c->broker = NULL;
	client_init_readiness(c);
	c->broker_ready.fast = c->results_ready.fast = true;
	c->deadline_ms = ms;
	return client_open_stores(c, err);
}

void
client_expect_servers(struct flowrra_client *c)
{
	c->broker_ready.refusable = c->results_ready.refusable = true;
}

int
flowrra_open(const struct flowrra_options *options,
	     struct flowrra_client **client, struct flowrra_error *error)
{
	struct flowrra_client *c = calloc(1, sizeof(*c));
	struct err err = ERR_INIT;

	if (c == NULL) {
		err_nomem(&err);
		return client_fail(error, &err);
	}
	/* Set first: client_free() and client_check() rely on it. */
	c->pid = getpid();
	if (client_configure(c, options, &err) != 0 ||
	    client_open(c, &err) != 0) {
		client_free(c);
		return client_fail(error, &err);
	}
	*client = c;
	return 0;
}

int
client_open_with(struct conf *conf, struct flowrra_client **ret,
		 struct err *err)
{
	struct flowrra_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_nomem(err);
	c->pid = getpid();
	c->conf = conf;
	c->conf_lent = true;
	if (client_open(c, err) != 0) {
		client_free(c);
		return -1;
	}
	*ret = c;
	return 0;
}

void
flowrra_close(struct flowrra_client *c)
{
	if (c == NULL)
		return;
	if (c->pid != getpid()) {
		/* The connections are the parent's; see loop_abandon(). What
		 * else threads of the parent may have been changing at the fork
		 * stays, too: the cache, and the stores with their threads. */
		loop_abandon(c->loop);
		foreign_free(c->foreign);
		if (!c->conf_lent)
			conf_free(c->conf);
		free(c);
		return;
	}
	client_free(c);
}
