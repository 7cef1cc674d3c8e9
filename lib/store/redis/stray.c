/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: what this worker has in flight in queues that it does not serve
 * any more.
 *
 * A worker that crashed may start again with fewer queues. Its heartbeat then says
 * that it lives, so that no worker of those queues takes over what it had of them;
 * and after its next stop nobody would look for that at all. So it gives these tasks
 * to a name beside its own, which is listed and never has a heartbeat: the workers
 * of the queue find that one dead, and take over as from any (takeover.c). They are
 * the ones who know what to do with a task that may have killed a worker.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/task.h"
#include "store/redis/admin.h"
#include "store/redis/broker.h"
#include "util/clock.h"

#define STRAY_SUFFIX ".left"
/* Tasks a call: no other command waits for long. */
#define STRAY_MAX 1000

/* One queue that this worker does not serve. */
struct stray {
	struct redis_request request;
	struct rbroker *broker;
	struct rqueue queue;
	char heir[TASK_ID_MAX + 1];
	char *shards[SHARDS]; /* of this worker */
	size_t moved;
};

static void
stray_free(struct stray *s)
{
	unsigned int i;

	for (i = 0; i < SHARDS; i++)
		free(s->shards[i]);
	rqueue_done(&s->queue);
	free(s);
}

static void
stray_drop(struct redis_request *request)
{
	stray_free(container_of(request, struct stray, request));
}

static void
stray_tell(const struct stray *s)
{
	struct err what;

	err_set(&what, ERR_UNAVAILABLE,
		"queue %s: this worker does not serve it any more; %zu tasks "
		"that it had in flight are left to other workers, as those of "
		"%s",
		s->queue.name, s->moved, s->heir);
	s->broker->opt.on_state(true, false, &what, s->broker->opt.arg);
}

static void stray_move(struct stray *s);

/* After a lost reply, the next connection begins once more. */
static void
stray_on_moved(struct redis_request *request, const struct redis_reply *reply)
{
	struct stray *s = container_of(request, struct stray, request);
	const size_t n = redis_reply_count(reply);

	s->moved += n;
	if (redis_fault(reply) == REDIS_FAULT_NONE && n > 0) {
		stray_move(s);
		return;
	}
	if (s->moved > 0)
		stray_tell(s);
	stray_free(s);
}

/* As a takeover by the heir, whose epoch nobody moves, from itself; no task is to
 * be handed out, hence 0 bytes. */
static void
stray_move(struct stray *s)
{
	char most[ARG_NUMBER_SIZE], life[ARG_NUMBER_SIZE],
	    bytes[ARG_NUMBER_SIZE];
	const struct slice args[] = {SLICE(""),
				     arg_number(most, STRAY_MAX),
				     SLICE("0"),
				     slice_of(RBROKER_WITHDRAWN),
				     arg_number(life, RQUEUE_MARK_TTL_S),
				     arg_number(bytes, RTAKEOVER_BYTES)};
	char *epoch = rqueue_epoch_key(&s->queue, s->heir);
	char *mark = rqueue_mark_key(&s->queue, s->heir);
	char *list = rqueue_shard_key(&s->queue, s->heir, 1);
	struct slice keys[4 + SHARDS];
	unsigned int i;
	int r = -1;

	if (epoch != NULL && mark != NULL && list != NULL) {
		keys[0] = slice_of(epoch);
		keys[1] = slice_of(mark);
		keys[2] = slice_of(list);
		keys[3] = slice_of(s->queue.keys[KEY_RUNNING]);
		for (i = 0; i < SHARDS; i++)
			keys[4 + i] = slice_of(s->shards[i]);
		s->request.on_reply = stray_on_moved;
		r = redis_request_eval(&s->request,
				       &s->broker->scripts[SCRIPT_TAKEOVER],
				       REDIS_ARGS(keys), REDIS_ARGS(args));
	}
	free(epoch);
	free(mark);
	free(list);
	if (r != 0)
		stray_free(s);
}

static void
stray_on_listed(struct redis_request *request, const struct redis_reply *reply)
{
	struct stray *s = container_of(request, struct stray, request);

	if (redis_fault(reply) == REDIS_FAULT_NONE)
		stray_move(s);
	else
		stray_free(s);
}

/* It is listed first, and for sure, which a full server may refuse: nobody finds
 * what an heir has that is not listed; one without tasks is harmless. */
static void
stray_on_held(struct redis_request *request, const struct redis_reply *reply)
{
	struct stray *s = container_of(request, struct stray, request);
	char now[ARG_NUMBER_SIZE];
	const struct slice list[] = {SLICE("ZADD"), slice_of(RBROKER_WORKERS),
				     arg_number(now, clock_wall_us() / 1000),
				     slice_of(s->heir)};

	s->request.on_reply = stray_on_listed;
	if (redis_fault(reply) != REDIS_FAULT_NONE ||
	    redis_reply_integer(reply) == 0 ||
	    redis_request_command(&s->request, REDIS_ARGS(list)) != 0)
		stray_free(s);
}

/* Without memory, or a connection, the next one looks. */
static void
stray_look(struct rbroker *b, struct slice name)
{
	struct stray *s = calloc(1, sizeof(*s));
	struct slice argv[1 + SHARDS] = {SLICE("EXISTS")};
	char queue[TASK_QUEUE_MAX + 1];
	bool ok;
	unsigned int i;

	if (s == NULL)
		return;
	snprintf(queue, sizeof(queue), "%.*s", (int)name.len, name.p);
	snprintf(s->heir, sizeof(s->heir), "%.*s" STRAY_SUFFIX,
		 (int)(TASK_ID_MAX - strlen(STRAY_SUFFIX)), b->opt.worker);
	s->broker = b;
	s->request = (struct redis_request){.queue = b->requests,
					    .on_reply = stray_on_held,
					    .drop = stray_drop};
	/* A name that long may be its own heir: there is none, then. */
	ok = rqueue_init(&s->queue, b, queue, 0) == 0 &&
	     strcmp(s->heir, b->opt.worker) != 0;
	for (i = 0; i < SHARDS && ok; i++) {
		s->shards[i] = rqueue_shard_key(&s->queue, b->opt.worker, i);
		ok = s->shards[i] != NULL;
		argv[1 + i] = slice_of(ok ? s->shards[i] : "");
	}
	if (!ok || redis_request_command(&s->request, REDIS_ARGS(argv)) != 0)
		stray_free(s);
}

static bool
rbroker_serves(const struct rbroker *b, struct slice name)
{
	unsigned int i;

	for (i = 0; i < b->n_queues; i++)
		if (slice_eq(name, slice_of(b->queues[i].name)))
			return true;
	return false;
}

static void stray_ask_queues(struct rbroker *b, struct slice cursor);

/* The next page comes behind what is asked about the queues of this one: there are
 * never more of them. */
static void
stray_on_queues(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rbroker *b = arg;
	const struct slice cursor =
	    redis_reply_string(redis_reply_at(reply, 0));
	const struct redis_reply *names = redis_reply_at(reply, 1);
	struct slice name;
	size_t i;

	for (i = 0; i < redis_reply_count(names); i++) {
		name = redis_reply_string(redis_reply_at(names, i));
		/* Anybody may have put anything there. */
		if (task_name_valid(name, TASK_QUEUE_MAX) &&
		    !rbroker_serves(b, name))
			stray_look(b, name);
	}
	if (cursor.len > 0 && !slice_eq(cursor, SLICE("0")))
		stray_ask_queues(b, cursor);
}

static void
stray_ask_queues(struct rbroker *b, struct slice cursor)
{
	const struct slice argv[] = {SLICE("SSCAN"), slice_of(b->queues_key),
				     cursor, SLICE("COUNT"),
				     SLICE(RNAMES_PAGE)};

	redis_command(b->redis, stray_on_queues, b, 5, argv);
}

void
rbroker_leave_strays(struct rbroker *b)
{
	stray_ask_queues(b, SLICE("0"));
}
