/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: opening, closing, the state of its connection for commands,
 * and the worker's heartbeat.
 *
 * A worker begins when that connection is up and the server's settings are
 * judged: it rejects a server that may drop tasks before it takes the first
 * one.
 */
#include "store/redis/broker.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/order.h"
#include "codec/scan.h"
#include "store/admin.h"
#include "store/redis/admin.h"
#include "store/redis/flow.h"
#include "store/redis/info.h"
#include "store/redis/lanes.h"
#include "store/redis/limit.h"
#include "store/redis/ops.h"
#include "store/redis/rights.h"
#include "store/redis/spread.h"
#include "store/redis/tidy.h"
#include "store/redis/wait.h"
#include "util/clock.h"

/* --- what the server is ------------------------------------------------ */

/* Returns -1 with what the check found. */
static int
rbroker_check(const struct rbroker *b, redis_check_fn *fn, struct slice text,
	      struct err *err)
{
	const struct redis_info info = {.info = text};
	struct redis_finding found;

	if (!fn(&info, &found))
		return 0;
	return err_set(err, ERR_CONFIG, "%s %s; %s", b->url_name, found.what,
		       found.remedy);
}

/*
 * Runs with each connection. Queues compare lengths before settlements are sent
 * again: a claim that nobody knows of would be hidden by one that has just been
 * taken out.
 */
void
rbroker_start(struct rbroker *b)
{
	unsigned int i;

	b->checked = true;
	b->outbox.redis = b->redis;
	for (i = 0; i < b->n_queues; i++)
		rqueue_start(&b->queues[i]);
	/* Of one queue there are none: its workers find those of one that does
	 * not serve it any more. */
	if (b->opt.worker != NULL && b->part == RBROKER_WHOLE)
		rbroker_leave_strays(b);
	if (b->opt.worker != NULL)
		rbroker_prune_workers(b);
	outbox_push(&b->outbox);
	/* At last: the caller may submit at once, and may close the broker. */
	b->opt.on_state(true, false, NULL, b->opt.arg);
}

/* Whether this is another server (or the same, started again) than the one that
 * was examined before: after a failover it is, with settings of its own. */
static bool
rbroker_is_new(struct rbroker *b, struct slice info)
{
	const struct slice id = redis_info_text(info, "run_id");

	if (b->checked && slice_eq(slice_of(b->run_id), id))
		return false;
	if (id.p == NULL || id.len >= sizeof(b->run_id))
		return !b->checked;
	memcpy(b->run_id, id.p, id.len);
	b->run_id[id.len] = '\0';
	return true;
}

/* Of the queues of a Cluster, one asks for all. */
static void
rbroker_check_rights(struct rbroker *b)
{
	if (b->first == 0)
		rrights_check_worker(b);
}

static void
rbroker_on_info(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	struct slice info = redis_reply_string(reply);
	struct err err;
	bool is_new;

	if (redis_fault(reply) == REDIS_FAULT_LOST)
		return; /* on_state has told, or will */
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		/* Not allowed to ask: take it as it is, and say so. */
		redis_fault_err(r, "INFO", reply, &err);
		rbroker_check_rights(b);
		b->opt.on_state(true, false, &err, b->opt.arg);
		rbroker_enter(b);
		return;
	}
	rbroker_take_version(b, info);
	is_new = rbroker_is_new(b, info);
	/* A server that may drop keys to make room would lose tasks. */
	if (is_new && rbroker_check(b, redis_check_eviction, info, &err) != 0) {
		b->opt.on_state(false, true, &err, b->opt.arg);
		return;
	}
	if (is_new &&
	    rbroker_check(b, redis_check_persistence, info, &err) != 0)
		b->opt.on_state(true, false, &err, b->opt.arg);
	if (is_new && !b->url.cluster &&
	    rbroker_check(b, redis_check_mode, info, &err) != 0)
		b->opt.on_state(true, false, &err, b->opt.arg);
	if (is_new)
		rbroker_check_rights(b);
	rbroker_enter(b);
}

static void
rbroker_on_state(struct redis *r, enum redis_state state, const struct err *why,
		 void *arg)
{
	struct rbroker *b = arg;
	const struct slice info[] = {SLICE("INFO")};
	unsigned int i;

	if (state == REDIS_UP && why != NULL) {
		/* A node of a Cluster is out of reach. */
		b->opt.on_state(true, false, why, b->opt.arg);
		return;
	}
	if (state == REDIS_UP) {
		/* Producers need none of the settings. */
		if (b->opt.worker == NULL)
			rbroker_start(b);
		else
			redis_command(b->redis, rbroker_on_info, b, 1, info);
		rbroker_track(b);
		return;
	}
	/* Another server may answer next, of another version, which knows none
	 * of our queues; and while we were away nobody's silence counts. */
	b->version_known = false;
	rbroker_leave(b);
	rgather_stop(b);
	/* Settlements wait until what they settle is on record. */
	b->outbox.redis = NULL;
	rlimit_drop(b);
	b->records = RECORDS_UNTRIED;
	b->set_works = false;
	rbroker_forget_suspects(b);
	rbroker_forget_named(b);
	for (i = 0; i < b->n_queues; i++)
		rqueue_stall(&b->queues[i]);
	b->opt.on_state(false, state == REDIS_REFUSED, why, b->opt.arg);
}

/* --- workers ----------------------------------------------------------- */

/* Names in one call of register.lua. */
#define REGISTER_MAX 1000

void
rbroker_note_times(struct rbroker *b, struct slice key,
		   const struct slice *names, size_t n)
{
	size_t some;

	for (; n > 0; names += some, n -= some) {
		some = n < REGISTER_MAX ? n : REGISTER_MAX;
		rbroker_eval(b, SCRIPT_REGISTER, NULL, NULL, 1, &key, some,
			     names);
	}
}

/* No answer is awaited: a task that is not registered can be submitted all the
 * same, with the defaults. */
void
rbroker_register(struct rbroker *b, const struct slice *names,
		 const struct slice *descriptions, size_t n)
{
	struct slice *argv = calloc(2 + 2 * n, sizeof(*argv));
	size_t i;

	if (argv == NULL || n == 0)
		goto out;
	argv[0] = SLICE("HSET");
	argv[1] = slice_of(RBROKER_REGISTRY);
	for (i = 0; i < n; i++) {
		argv[2 + 2 * i] = names[i];
		argv[3 + 2 * i] = descriptions[i];
	}
	redis_command(b->redis, NULL, NULL, 2 + 2 * n, argv);
	/* When they were registered last: tidy.c forgets what nobody has. A name
	 * whose time was lost gets it there. */
	rbroker_note_times(b, slice_of(b->registered_key), names, n);
out:
	free(argv);
}

static void
register_tasks(struct broker *broker, const struct slice *names,
	       const struct slice *descriptions, size_t n)
{
	struct rbroker *b = (struct rbroker *)broker;

	if (rbroker_set_tasks(b, names, n) == 0)
		rbroker_serve(b);
	rbroker_register(b, names, descriptions, n);
}

/* --- opening and closing ----------------------------------------------- */

static const char *
rbroker_name(const struct broker *broker)
{
	return ((const struct rbroker *)broker)->url_name;
}

/* A worker is up only when the server was judged (`checked`). */
static bool
rbroker_is_up(const struct broker *broker)
{
	const struct rbroker *b = (const struct rbroker *)broker;

	return b->checked && redis_state(b->redis) == REDIS_UP &&
	       (b->opt.worker == NULL || b->entering == RENTER_IN);
}

void
rbroker_close_part(struct rbroker *b)
{
	unsigned int i;

	/* Connections first: after that nothing calls back. */
	if (b->producer != NULL)
		broker_close(b->producer);
	redis_free(b->redis);
	redis_free(b->control);
	rbroker_close_watch(b);
	rbroker_close_waiters(b);
	redis_requests_free(b->requests);
	rflow_close(b);
	for (i = 0; i < b->n_queues; i++)
		rqueue_done(&b->queues[i]);
	free(b->queues);
	outbox_done(&b->outbox);
	if (b->reconcile != NULL)
		event_free(b->reconcile);
	if (b->liveness != NULL)
		event_free(b->liveness);
	if (b->enter_again != NULL)
		event_free(b->enter_again);
	if (b->flush != NULL)
		event_free(b->flush);
	rgather_close(b);
	buf_done(&b->description);
	rbroker_forget_suspects(b);
	rbroker_forget_named(b);
	redis_url_done(&b->url);
	free(b->url_name);
	free(b->queue_key);
	free(b->queues_key);
	free(b->worker_json);
	free(b->worker_key);
	free(b->pin);
	free(b->workers_key);
	free(b->worker_prefix);
	free(b->server_key);
	free(b->absent_key);
	rbroker_forget_tasks(b);
	rbroker_tidy_done(b);
	rbroker_lost_done(b);
	rbroker_forget_examinations(b);
	free(b);
}

static void
rbroker_close(struct broker *broker)
{
	rbroker_close_part((struct rbroker *)broker);
}

/* The names show in CLIENT LIST. No limit for replies: a page of an operator's
 * list may be larger than any task. */
static struct redis *
connect_redis(struct rbroker *b, struct err *err)
{
	const struct redis_options options = {
	    .url = &b->url,
	    .key = b->pin,
	    .client_name = b->opt.worker ? "flowrrad" : "flowrra-client",
	    .timeout_ms = b->opt.timeout_ms,
	    .on_state = rbroker_on_state,
	    .arg = b};

	return redis_new(b->opt.base, &options, err);
}

/* In a Cluster, what is about the workers of a queue is beside that: it is as much
 * in reach as the queue, and goes where that goes. */
static int
rbroker_name_keys(struct rbroker *b)
{
	const struct broker_options *o = &b->opt;
	int n;

	b->registered_key =
	    b->url.cluster ? RBROKER_REGISTERED_BESIDE : RBROKER_REGISTERED;
	if (b->part != RBROKER_QUEUE) {
		b->workers_key = strdup(RBROKER_WORKERS);
		b->worker_prefix = strdup(RBROKER_WORKER);
		b->server_key = strdup("flowrra:server:{flowrra:workers}");
		b->absent_key = strdup("flowrra:absent:{flowrra:workers}");
		return b->workers_key != NULL && b->worker_prefix != NULL &&
			       b->server_key != NULL && b->absent_key != NULL
			   ? 0
			   : -1;
	}
	n = asprintf(&b->pin, "%s:%s", o->queue_key, o->queues[0]);
	return n < 0 || asprintf(&b->workers_key, "{%s}:workers", b->pin) < 0 ||
		       asprintf(&b->worker_prefix, "{%s}:worker:", b->pin) <
			   0 ||
		       asprintf(&b->server_key, "{%s}:server", b->pin) < 0 ||
		       asprintf(&b->absent_key, "{%s}:absent", b->pin) < 0
		   ? -1
		   : 0;
}

/* The outbox gets its connection afterwards, because the connection's callback
 * pushes the outbox: each needs the other. */
struct rbroker *
rbroker_open_part(const struct broker_options *options, enum rbroker_part part,
		  unsigned int first, struct err *err)
{
	struct rbroker *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_nomem(err);
		return NULL;
	}
	b->pub.ops = &broker_redis;
	b->opt = *options;
	b->part = part;
	b->first = first;
	b->keeper = options->worker;
	TAILQ_INIT(&b->suspects);
	TAILQ_INIT(&b->examinations);
	TAILQ_INIT(&b->flow.deliveries);
	TAILQ_INIT(&b->flow.paused);
	TAILQ_INIT(&b->flow.gathering);
	rbroker_lost_init(b);
	rbroker_choose_scripts(b, true);
	if (redis_url_parse(options->url, &b->url, err) != 0) {
		err_prefix(err, "[broker] url");
		goto fail;
	}
	b->url_name = redis_url_name(&b->url);
	b->queue_key = strdup(options->queue_key);
	if (b->url_name == NULL || b->queue_key == NULL ||
	    asprintf(&b->queues_key, "%ss", options->queue_key) < 0 ||
	    rbroker_name_keys(b) != 0) {
		err_nomem(err);
		goto fail;
	}
	if (outbox_init(&b->outbox, options->base, &rbroker_settlements, b,
			err) != 0 ||
	    (b->redis = connect_redis(b, err)) == NULL ||
	    (b->requests = redis_requests_new(options->base, b->redis, err)) ==
		NULL)
		goto fail;
	if (rflow_open(b, err) != 0)
		goto fail;
	if (options->worker == NULL)
		b->outbox.redis = b->redis;
	if (options->worker != NULL && rbroker_open_worker(b, err) != 0)
		goto fail;
	return b;
fail:
	rbroker_close_part(b);
	return NULL;
}

static struct broker *
rbroker_open(const struct broker_options *options, struct err *err)
{
	struct rbroker *b;

	if (options->worker != NULL && redis_url_is_cluster(options->url))
		return rspread_open(options, err);
	b = rbroker_open_part(options, RBROKER_WHOLE, 0, err);
	return b != NULL ? &b->pub : NULL;
}

static int
rbroker_check_url(const char *text, struct err *err)
{
	struct redis_url url;

	if (redis_url_parse(text, &url, err) != 0)
		return -1;
	redis_url_done(&url);
	return 0;
}

static char *
rbroker_url_name(const char *text, struct err *err)
{
	struct redis_url url;
	char *name;

	if (redis_url_parse(text, &url, err) != 0)
		return NULL;
	if ((name = redis_url_name(&url)) == NULL)
		err_nomem(err);
	redis_url_done(&url);
	return name;
}

const struct broker_ops broker_redis = {
    .schemes =
	(const char *const[]){"redis://", "rediss://", "redis+sentinel://",
			      "rediss+sentinel://", "redis+cluster://",
			      "rediss+cluster://", "unix://", NULL},
    .check_url = rbroker_check_url,
    .url_name = rbroker_url_name,
    .is_elsewhere = redis_url_is_elsewhere,
    .is_spread = redis_url_is_cluster,
    .open = rbroker_open,
    .close = rbroker_close,
    .name = rbroker_name,
    .is_up = rbroker_is_up,
    .want = rbroker_want,
    .coming = rbroker_coming,
    .idle = rbroker_idle,
    .settle = rbroker_settle,
    .drop = rbroker_drop,
    .doubt = rbroker_doubt,
    .is_sure = rbroker_is_sure,
    .unsettled = rbroker_unsettled,
    .heartbeat = rbroker_heartbeat,
    .deregister = rbroker_deregister,
    .register_tasks = register_tasks,
    .tidy = rbroker_tidy,
    .submit = rbroker_submit,
    .look = rbroker_look,
    .push = rbroker_push,
    .registered = rbroker_registered,
    .registered_names = rbroker_registered_names,
    .registry = rbroker_registry,
    .served = rbroker_served,
    .control = rbroker_control,
    .admin = &broker_redis_admin,
    .flow = &rbroker_flow_ops,
};
