/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: a worker whose queues are in a Redis Cluster; see spread.h.
 *
 * What the worker says goes to the broker of the queue that it is about, or to all
 * of them; what they tell is passed on. A queue that goes out of reach is no news
 * of the whole while another one is there: it is a warning.
 */
#include "store/redis/spread.h"

#include <stdlib.h>
#include <string.h>

#include "codec/order.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "store/redis/flow.h"
#include "store/redis/lanes.h"
#include "store/redis/ops.h"
#include "util/clock.h"

/* Of a control message, which names a queue or a task. */
#define ORDER_MAX_BYTES (64u << 10)
/* For this long a warning is not repeated, nor given for another queue. */
#define WARN_MS 60000

/* One queue. */
struct rpart {
	struct rspread *spread;
	struct rbroker *broker;
	bool up;
	char warning[ERR_MSG_MAX]; /* the last one */
	int64_t warned_ms;	   /* monotonic; 0: never */
};

struct rspread {
	struct rbroker *hub;
	struct broker_options opt; /* of the worker */
	struct redis *control;	   /* listens to orders */
	struct rpart *parts;
	unsigned int n;
	struct rpart itself; /* the hub's state and warnings */
};

static struct rspread *
rspread_of(const struct broker *broker)
{
	return ((const struct rbroker *)broker)->spread;
}

static struct broker *
rspread_broker_of(const struct broker_claim *claim)
{
	return &container_of(claim, const struct rclaim, pub)
		    ->queue->broker->pub;
}

/* --- states -------------------------------------------------------------- */

static bool
rspread_any_up(const struct rspread *s)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (s->parts[i].up)
			return true;
	return false;
}

static bool
part_has_said(const struct rpart *p, const struct err *why, int64_t now)
{
	return p->warned_ms != 0 && now - p->warned_ms < WARN_MS &&
	       strcmp(p->warning, why->msg) == 0;
}

/* Queues on one node have the same to say of it. */
static void
part_warn(struct rpart *p, const struct err *why)
{
	struct rspread *s = p->spread;
	const int64_t now = clock_mono_ms();
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (part_has_said(&s->parts[i], why, now))
			return;
	if (part_has_said(&s->itself, why, now))
		return;
	memcpy(p->warning, why->msg, sizeof(p->warning));
	p->warned_ms = now;
	s->opt.on_state(true, false, why, s->opt.arg);
}

/* For those who list workers: the heartbeats that count are beside the queues. */
static void
rspread_show(struct rspread *s, struct slice description)
{
	const struct slice name = slice_of(s->opt.worker);
	struct buf key = BUF_INIT;
	char life[ARG_NUMBER_SIZE];
	const struct slice set[] = {
	    SLICE("SET"), arg_key(&key, s->hub->worker_prefix, name),
	    description, SLICE("EX"),
	    arg_number(life, BROKER_HEARTBEAT_TTL_S - 1)};

	if (!key.failed && redis_state(s->hub->redis) == REDIS_UP) {
		redis_command(s->hub->redis, NULL, NULL, 5, set);
		rbroker_note_times(s->hub, slice_of(s->hub->workers_key), &name,
				   1);
	}
	buf_done(&key);
}

/* The whole is there, and may be claimed from: what it has in flight is counted from
 * the first claim on. Its queues have said already which process it is. */
static void
rspread_tell_up(struct rspread *s)
{
	const struct buf *description;
	unsigned int i = 0;

	while (!s->parts[i].up)
		i++;
	description = &s->parts[i].broker->description;
	rspread_show(s, (struct slice){description->data, description->len});
	s->opt.on_state(true, false, NULL, s->opt.arg);
}

static void
part_on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct rpart *p = arg;
	struct rspread *s = p->spread;

	if (up && why == NULL) {
		p->up = true;
		if (s->itself.up)
			rspread_tell_up(s);
		return;
	}
	p->up = p->up && up;
	if (final || (!up && !rspread_any_up(s)))
		s->opt.on_state(false, final, why, s->opt.arg);
	else
		part_warn(p, why);
}

/* Names of queues are for people who list them. */
static void
hub_on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct rspread *s = arg;
	unsigned int i;

	if (final) {
		s->opt.on_state(false, true, why, s->opt.arg);
	} else if (!up) {
		s->itself.up = false;
		s->opt.on_state(false, false, why, s->opt.arg);
	} else if (why != NULL) {
		part_warn(&s->itself, why);
	} else {
		s->itself.up = true;
		for (i = 0; i < s->n; i++)
			rbroker_name_queue(s->hub, s->opt.queues[i]);
		/* Without it nothing can be registered. */
		if (rspread_any_up(s))
			rspread_tell_up(s);
	}
}

/* --- what the queues tell ------------------------------------------------ */

static void
part_on_claim(struct broker_claim *claim, void *arg)
{
	struct rspread *s = ((struct rpart *)arg)->spread;

	s->opt.on_claim(claim, s->opt.arg);
}

static void
part_on_lost(struct broker_claim *claim, void *arg)
{
	struct rspread *s = ((struct rpart *)arg)->spread;

	s->opt.on_lost(claim, s->opt.arg);
}

static void
part_on_kept(struct broker_claim *claim, void *arg)
{
	struct rspread *s = ((struct rpart *)arg)->spread;

	s->opt.on_kept(claim, s->opt.arg);
}

static bool
rspread_idle(const struct broker *broker)
{
	const struct rspread *s = rspread_of(broker);
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (!rbroker_idle(&s->parts[i].broker->pub))
			return false;
	return true;
}

static void
part_on_idle(void *arg)
{
	struct rspread *s = ((struct rpart *)arg)->spread;

	if (rspread_idle(&s->hub->pub))
		s->opt.on_idle(s->opt.arg);
}

static void
hub_on_trimmed(const struct broker_trimmed *trimmed, void *arg)
{
	struct rspread *s = arg;

	if (s->opt.on_trimmed != NULL)
		s->opt.on_trimmed(trimmed, s->opt.arg);
}

static bool
hub_on_pending(struct slice record, struct buf *queue, struct buf *ended,
	       void *arg)
{
	const struct rspread *s = arg;

	return s->opt.on_pending(record, queue, ended, s->opt.arg);
}

/* --- orders -------------------------------------------------------------- */

/* No name: of all queues. */
static void
rspread_wake(struct rspread *s, struct slice channel, struct slice name)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (name.p == NULL ||
		    slice_eq(name, slice_of(s->opt.queues[i])))
			rqueue_on_order(&s->parts[i].broker->queues[0],
					channel);
}

static void
rspread_on_message(struct redis *r, struct slice channel, struct slice payload,
		   void *arg)
{
	struct rspread *s = arg;
	struct buf scratch = BUF_INIT;
	struct order order;

	if (order_read(payload, &scratch, &order, NULL) == 0 &&
	    order.kind == ORDER_WAKE)
		rspread_wake(s, channel, order.subject);
	else if (s->opt.on_control != NULL)
		s->opt.on_control(payload, s->opt.arg);
	buf_done(&scratch);
}

static void
rspread_set_listening(struct rspread *s, bool listening)
{
	unsigned int i;

	for (i = 0; i < s->n; i++)
		s->parts[i].broker->listening = listening;
}

/* What was said meanwhile has to be found out. */
static void
rspread_on_listening(struct redis *r, void *arg)
{
	rspread_set_listening(arg, true);
	rspread_wake(arg, slice_of(RBROKER_CONTROL), (struct slice){NULL, 0});
}

/* Until it is back, the queues look by themselves. */
static void
rspread_on_control_state(struct redis *r, enum redis_state state,
			 const struct err *why, void *arg)
{
	struct rspread *s = arg;

	if (state == REDIS_UP)
		return;
	rspread_set_listening(s, false);
	if (state == REDIS_REFUSED)
		s->opt.on_state(false, true, why, s->opt.arg);
	else if (rspread_any_up(s))
		part_warn(&s->itself, why);
}

static int
rspread_open_control(struct rspread *s, struct err *err)
{
	const struct redis_options options = {.url = &s->hub->url,
					      .any_node = true,
					      .client_name = "flowrrad-control",
					      .timeout_ms = s->opt.timeout_ms,
					      .max_reply = ORDER_MAX_BYTES,
					      .on_state =
						  rspread_on_control_state,
					      .on_message = rspread_on_message,
					      .arg = s};

	s->control = redis_new(s->opt.base, &options, err);
	if (s->control == NULL)
		return -1;
	return rbroker_hear(s->control, s->opt.worker, rspread_on_listening, s,
			    err);
}

/* --- what the worker says ------------------------------------------------ */

static bool
rspread_is_up(const struct broker *broker)
{
	return rspread_of(broker)->itself.up &&
	       rspread_any_up(rspread_of(broker));
}

static struct broker *
rspread_part(const struct broker *broker, unsigned int queue)
{
	return &rspread_of(broker)->parts[queue].broker->pub;
}

static void
rspread_want(struct broker *broker, unsigned int queue, unsigned int n)
{
	rbroker_want(rspread_part(broker, queue), 0, n);
}

static unsigned int
rspread_coming(const struct broker *broker, unsigned int queue)
{
	return rbroker_coming(rspread_part(broker, queue), 0);
}

static void
rspread_settle(struct broker *broker, struct broker_settle *settle)
{
	struct broker *part = rspread_broker_of(settle->claim);

	/* The home of a workflow may be on any node. */
	if (rflow_settles(settle))
		rflow_settle((struct rbroker *)broker, settle);
	else
		rbroker_settle(part, settle);
}

static void
rspread_drop(struct broker *broker, struct broker_claim *claim)
{
	rbroker_drop(rspread_broker_of(claim), claim);
}

static void
rspread_doubt(struct broker *broker, struct broker_claim *claim)
{
	rbroker_doubt(rspread_broker_of(claim), claim);
}

static bool
rspread_is_sure(const struct broker *broker, unsigned int queue)
{
	return rbroker_is_sure(rspread_part(broker, queue), 0);
}

static size_t
rspread_unsettled(const struct broker *broker)
{
	const struct rspread *s = rspread_of(broker);
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < s->n; i++)
		n += rbroker_unsettled(&s->parts[i].broker->pub);
	return n;
}

static void
rspread_heartbeat(struct broker *broker, struct slice description)
{
	struct rspread *s = rspread_of(broker);
	unsigned int i;

	for (i = 0; i < s->n; i++)
		rbroker_heartbeat(&s->parts[i].broker->pub, description);
	rspread_show(s, description);
}

static void
rspread_deregister(struct broker *broker)
{
	struct rspread *s = rspread_of(broker);
	struct buf key = BUF_INIT;
	const struct slice gone[] = {
	    SLICE("DEL"),
	    arg_key(&key, s->hub->worker_prefix, slice_of(s->opt.worker))};
	const struct slice strike[] = {SLICE("ZREM"),
				       slice_of(s->hub->workers_key),
				       slice_of(s->opt.worker)};
	unsigned int i;

	for (i = 0; i < s->n; i++)
		rbroker_deregister(&s->parts[i].broker->pub);
	redis_command(s->hub->redis, NULL, NULL, 3, strike);
	if (!key.failed)
		redis_command(s->hub->redis, NULL, NULL, 2, gone);
	buf_done(&key);
}

static void
rspread_register(struct broker *broker, const struct slice *names,
		 const struct slice *descriptions, size_t n)
{
	struct rspread *s = rspread_of(broker);
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (rbroker_set_tasks(s->parts[i].broker, names, n) == 0)
			rbroker_serve(s->parts[i].broker);
	rbroker_register(s->hub, names, descriptions, n);
}

static void
rspread_tidy(struct broker *broker, const struct broker_limits *limits)
{
	struct rspread *s = rspread_of(broker);

	rbroker_tidy(broker, limits);
	if (redis_state(s->hub->redis) == REDIS_UP)
		rbroker_prune_workers(s->hub);
}

/* --- opening and closing ------------------------------------------------- */

static void
rspread_close(struct broker *broker)
{
	struct rbroker *hub = (struct rbroker *)broker;
	struct rspread *s = hub->spread;
	unsigned int i;

	redis_free(s->control);
	for (i = 0; i < s->n; i++)
		rbroker_close_part(s->parts[i].broker);
	rbroker_close_part(hub);
	free(s->parts);
	free(s);
}

static const char *
rspread_name(const struct broker *broker)
{
	return ((const struct rbroker *)broker)->url_name;
}

static int
rspread_open_part(struct rspread *s, unsigned int i, struct err *err)
{
	struct broker_options options = s->opt;
	struct rpart *p = &s->parts[i];

	p->spread = s;
	options.queues = &s->opt.queues[i];
	options.n_queues = 1;
	options.on_claim = part_on_claim;
	options.on_lost = part_on_lost;
	options.on_kept = part_on_kept;
	options.on_idle = part_on_idle;
	options.on_state = part_on_state;
	options.on_control = NULL;
	options.on_pending = NULL; /* the hub does the housekeeping */
	options.arg = p;
	p->broker = rbroker_open_part(&options, RBROKER_QUEUE, i, err);
	return p->broker != NULL ? 0 : -1;
}

static struct rbroker *
rspread_open_hub(struct rspread *s, struct err *err)
{
	struct broker_options options = s->opt;
	struct rbroker *hub;

	options.worker = NULL;
	options.n_queues = 0;
	options.on_state = hub_on_state;
	options.on_trimmed = hub_on_trimmed;
	if (options.on_pending != NULL)
		options.on_pending = hub_on_pending;
	options.arg = s;
	hub = rbroker_open_part(&options, RBROKER_HUB, 0, err);
	if (hub != NULL)
		hub->keeper = s->opt.worker;
	return hub;
}

static const struct broker_ops broker_redis_spread;

struct broker *
rspread_open(const struct broker_options *options, struct err *err)
{
	struct rspread *s = calloc(1, sizeof(*s));
	struct rbroker *hub;

	if (s == NULL || (s->parts = calloc(options->n_queues + 1,
					    sizeof(*s->parts))) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	s->opt = *options;
	s->itself.spread = s;
	if ((hub = rspread_open_hub(s, err)) == NULL) {
		free(s->parts);
		free(s);
		return NULL;
	}
	s->hub = hub;
	hub->spread = s;
	hub->pub.ops = &broker_redis_spread;
	for (; s->n < options->n_queues; s->n++)
		if (rspread_open_part(s, s->n, err) != 0)
			goto fail;
	if (rspread_open_control(s, err) == 0)
		return &hub->pub;
fail:
	rspread_close(&hub->pub);
	return NULL;
}

/* The rest is the hub's. */
static const struct broker_ops broker_redis_spread = {
    .close = rspread_close,
    .name = rspread_name,
    .is_up = rspread_is_up,
    .want = rspread_want,
    .coming = rspread_coming,
    .idle = rspread_idle,
    .settle = rspread_settle,
    .drop = rspread_drop,
    .doubt = rspread_doubt,
    .is_sure = rspread_is_sure,
    .unsettled = rspread_unsettled,
    .heartbeat = rspread_heartbeat,
    .deregister = rspread_deregister,
    .register_tasks = rspread_register,
    .tidy = rspread_tidy,
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
