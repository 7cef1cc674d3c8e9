/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: the worker's hold on its id.
 *
 * The claims of a worker are on record under its id, so two processes with one
 * id would take each other's tasks for their own and run each twice. The key of
 * the heartbeat therefore belongs to one process, whose token stands in it, and
 * a heartbeat is only written over one of the same process (heartbeat.lua). A
 * worker asks for the key on each connection before it looks at what is in
 * flight. If another process has it, the worker waits until that is known to be
 * dead, which takes as long as a heartbeat is good for; if that is renewed
 * instead, the other one lives, and this one is refused.
 *
 * A worker that finds another's token in its key later, after it was frozen or
 * cut off, has lost all its claims and ends. One that finds its key gone was
 * away for longer than a heartbeat is good for: others may have taken its
 * claims over, so all of them are compared before anything goes on.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "codec/write.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "store/redis/lanes.h"
#include "store/redis/ops.h"
#include "util/clock.h"

/* Before the next look at another process' heartbeat: it comes every
 * BROKER_HEARTBEAT_S, so a few looks tell. */
#define LOOK_AGAIN_S 1
/* How long a heartbeat keeps others out. The worker that takes over waits for
 * twice BROKER_HEARTBEAT_TTL_S; one with the same ID only for this. */
#define LIFE_S (BROKER_HEARTBEAT_TTL_S - 1)

/* --- the other one ------------------------------------------------------- */

/* Names the process with the heartbeat `text`, a worker's description, and says
 * what is to be done. */
static void
renter_describe(const struct rbroker *b, struct slice text, const char *then,
		struct err *what)
{
	json_t *other = json_loadb(text.p, text.len, JSON_ALLOW_NUL, NULL);
	const char *host = json_string_value(json_object_get(other, "host"));
	const json_int_t pid =
	    json_integer_value(json_object_get(other, "pid"));

	err_set(what, ERR_REFUSED,
		"another process has the worker ID %s: process %lld on host "
		"%.64s; %s",
		b->opt.worker, (long long)pid, host != NULL ? host : "?", then);
	json_decref(other);
}

/* There is no way back: nothing is claimed or settled any more, and what is
 * claimed is the other one's. */
static void
renter_refuse(struct rbroker *b, struct slice other)
{
	const bool was_in = b->confirmed_ms != 0;
	struct err why;
	unsigned int i;

	b->entering = RENTER_REFUSED;
	b->outbox.redis = NULL;
	renter_describe(b, other,
			"set [worker] id, or FLOWRRA_WORKER_ID, so that they "
			"differ (containers: give each its own hostname)",
			&why);
	for (i = 0; i < b->n_queues; i++) {
		rqueue_stall(&b->queues[i]);
		if (was_in)
			rqueue_lose_all(&b->queues[i]);
	}
	b->opt.on_state(false, true, &why, b->opt.arg);
}

/* It may be the heartbeat of a process that is dead by now. */
static void
renter_wait(struct rbroker *b, struct slice other, int64_t ttl_ms)
{
	const struct timeval tv = {.tv_sec = LOOK_AGAIN_S};
	struct err why;

	if (ttl_ms < 0 || (b->rival_ttl_ms >= 0 && ttl_ms > b->rival_ttl_ms)) {
		renter_refuse(b, other);
		return;
	}
	if (b->rival_ttl_ms < 0) {
		renter_describe(b, other,
				"waiting for the end of its last heartbeat",
				&why);
		b->opt.on_state(false, false, &why, b->opt.arg);
	}
	b->rival_ttl_ms = ttl_ms;
	evtimer_add(b->enter_again, &tv);
}

/* --- heartbeats ---------------------------------------------------------- */

/* The description, an object, with the token as its first member. */
static void
renter_describe_as(struct rbroker *b, struct slice description)
{
	struct buf *out = &b->description;

	buf_reset(out);
	write_text(out, WRITE_FIRST("token"), slice_of(b->opt.token));
	if (description.len > 2) {
		buf_addc(out, ',');
		buf_add(out, description.p + 1, description.len - 1);
	} else {
		write_end(out);
	}
}

/* `ttl_s` 0: the last one. */
static int
renter_send(struct rbroker *b, int64_t ttl_s, redis_reply_fn *fn)
{
	char life[ARG_NUMBER_SIZE];
	const struct slice keys[] = {slice_of(b->worker_key),
				     slice_of(b->workers_key)};
	const struct slice args[] = {{b->description.data, b->description.len},
				     arg_number(life, ttl_s),
				     slice_of(b->opt.token),
				     slice_of(b->opt.predecessor),
				     slice_of(b->opt.worker)};

	return rbroker_eval(b, SCRIPT_HEARTBEAT, fn, b, 2, keys, 5, args);
}

/* All its claims are compared before it is sure of them again. */
static void
renter_doubt_all(struct rbroker *b)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		rqueue_doubt(&b->queues[i]);
}

/* The time of the oldest one under way counts: that is never too late. */
static void
renter_on_beat(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	const bool was_sure = rbroker_is_sure(&b->pub, 0);

	b->beats_sent--;
	/* A lost one is followed by another soon. */
	if (redis_fault(reply) != REDIS_FAULT_NONE || b->entering != RENTER_IN)
		return;
	if (redis_reply_type(reply) != REDIS_INTEGER) {
		renter_refuse(b, redis_reply_string(redis_reply_at(reply, 0)));
		return;
	}
	b->confirmed_ms = b->beat_ms;
	if (redis_reply_integer(reply) == 0)
		renter_doubt_all(b);
	if (!was_sure && rbroker_is_sure(&b->pub, 0))
		b->opt.on_kept(NULL, b->opt.arg);
}

void
rbroker_heartbeat(struct broker *broker, struct slice description)
{
	struct rbroker *b = (struct rbroker *)broker;
	unsigned int i;

	if (b->entering != RENTER_IN)
		return;
	renter_describe_as(b, description);
	if (b->beats_sent == 0)
		b->beat_ms = clock_boot_ms();
	if (b->description.failed ||
	    renter_send(b, LIFE_S, renter_on_beat) != 0)
		return;
	b->beats_sent++;
	for (i = 0; i < b->n_queues; i++)
		rqueue_bump_epoch(&b->queues[i]);
	rbroker_serve(b);
}

/* A worker that is not listed is never suspected: the list entry goes, too, so
 * that nobody waits for its heartbeat. */
void
rbroker_deregister(struct broker *broker)
{
	struct rbroker *b = (struct rbroker *)broker;

	if (b->entering != RENTER_IN)
		return;
	rbroker_unserve(b);
	renter_send(b, 0, NULL);
}

bool
rbroker_is_sure_for(const struct rbroker *b, int64_t ms)
{
	return b->n_doubtful == 0 && b->confirmed_ms != 0 &&
	       clock_boot_ms() - b->confirmed_ms + ms < LIFE_S * 1000;
}

bool
rbroker_is_sure(const struct broker *broker, unsigned int queue)
{
	return rbroker_is_sure_for((const struct rbroker *)broker, 0);
}

/* --- entering ------------------------------------------------------------ */

/* The first heartbeat, before the worker has told of itself: what names this
 * process to another one that wants the same id. */
static void
renter_describe_self(struct rbroker *b)
{
	struct buf *out = &b->description;
	struct utsname host;

	uname(&host);
	write_text(out, WRITE_FIRST("id"), slice_of(b->opt.worker));
	write_text(out, WRITE_NEXT("token"), slice_of(b->opt.token));
	write_text(out, WRITE_NEXT("host"), slice_of(host.nodename));
	write_whole(out, WRITE_NEXT("pid"), getpid());
	write_text(out, WRITE_NEXT("state"), SLICE("starting"));
	write_end(out);
}

static void
renter_on_answer(struct redis *r, const struct redis_reply *reply, void *arg)
{
	const struct timeval tv = {.tv_sec = LOOK_AGAIN_S};
	const enum redis_fault fault = redis_fault(reply);
	struct rbroker *b = arg;
	struct err why;

	if (fault == REDIS_FAULT_LOST || b->entering != RENTER_ASKING)
		return;
	if (fault == REDIS_FAULT_SCRIPT) {
		rbroker_enter(b);
	} else if (fault != REDIS_FAULT_NONE) {
		redis_fault_err(r, "a heartbeat", reply, &why);
		b->opt.on_state(false, false, &why, b->opt.arg);
		evtimer_add(b->enter_again, &tv);
	} else if (redis_reply_type(reply) != REDIS_INTEGER) {
		renter_wait(b, redis_reply_string(redis_reply_at(reply, 0)),
			    redis_reply_integer(redis_reply_at(reply, 1)));
	} else {
		b->entering = RENTER_IN;
		b->rival_ttl_ms = -1;
		if (b->confirmed_ms != 0 && redis_reply_integer(reply) == 0)
			renter_doubt_all(b);
		b->confirmed_ms = b->beat_ms;
		rgather_begin(b);
	}
}

static void
renter_on_again(evutil_socket_t fd, short what, void *arg)
{
	rbroker_enter(arg);
}

void
rbroker_enter(struct rbroker *b)
{
	if (b->entering == RENTER_REFUSED)
		return;
	if (b->description.len == 0)
		renter_describe_self(b);
	b->entering = RENTER_ASKING;
	b->beat_ms = clock_boot_ms();
	if (renter_send(b, LIFE_S, renter_on_answer) != 0)
		b->entering = RENTER_OUT; /* the connection is gone */
}

void
rbroker_leave(struct rbroker *b)
{
	if (b->entering != RENTER_REFUSED)
		b->entering = RENTER_OUT;
	if (b->enter_again != NULL)
		evtimer_del(b->enter_again);
}

int
rbroker_open_enter(struct rbroker *b, struct err *err)
{
	b->rival_ttl_ms = -1;
	b->enter_again = evtimer_new(b->opt.base, renter_on_again, b);
	return b->enter_again != NULL ? 0 : err_nomem(err);
}
