/* SPDX-License-Identifier: MIT */
/*
 * The Redis broker: tasks that were set aside, and who can run them.
 *
 * A task that a worker cannot run lies in the lane of its name, a sorted set: by
 * priority, and in each by arrival, which the first bytes of a member tell. The
 * queue's lanes are listed with their lengths. A worker learns of a lane when it
 * claims: the script names those that it was not told to look into; those that
 * the worker can run are among the keys of the next claim. So an idle worker,
 * woken by the order that comes with the first task of a lane, has it after two
 * round trips, and a queue without lanes costs one look at a key.
 *
 * What the workers of a queue can run is one sorted set, `served`: names by the
 * time until which they are good. Each worker says its own with each heartbeat,
 * so a name lapses with the last worker that has it; nobody has to know which
 * workers there are. The worker that finds a lane lapsed puts its tasks back.
 */
#include "store/redis/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"
#include "store/redis/limit.h"

/* The digits before a task in a lane: see set_aside.lua. */
#define STAMP 16
/* Tasks that are put back in one call: their bytes pass through the script. */
#define UNLANE_MAX 200
#define UNLANE_BYTES (512u << 10)
/* Names in one call of serve.lua. */
#define SERVE_MAX 1000
/* What a worker says of names that it gives up: others that have them say so
 * with their next heartbeats, which are nearer. */
#define LAPSE_S (BROKER_HEARTBEAT_S + 1)

/* --- names --------------------------------------------------------------- */

char *
rqueue_lane_key(const struct rqueue *q, struct slice name)
{
	struct buf key = BUF_INIT;

	buf_addf(&key, "{%s}:lane:%.*s", q->keys[KEY_WAITING], (int)name.len,
		 name.p);
	if (key.failed) {
		buf_done(&key);
		return NULL;
	}
	return buf_take(&key);
}

struct slice
rlane_task(struct slice member)
{
	if (member.len < STAMP)
		return (struct slice){NULL, 0};
	return (struct slice){member.p + STAMP, member.len - STAMP};
}

void
rlanes_done(struct rlanes *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->keys[i]);
	free(l->keys);
	*l = (struct rlanes){.keys = NULL};
}

/* --- what the workers can run -------------------------------------------- */

/* A lane whose tasks go back. */
struct unlane {
	struct redis_request request;
	struct rqueue *queue;
	char *name;
};

static void
runlane_free(struct redis_request *request)
{
	struct unlane *u = container_of(request, struct unlane, request);

	free(u->name);
	free(u);
}

static int
runlane_send(struct unlane *u)
{
	struct rqueue *q = u->queue;
	const struct slice name = slice_of(u->name);
	char *lane = rqueue_lane_key(q, name), most[ARG_NUMBER_SIZE],
	     bytes[ARG_NUMBER_SIZE];
	const struct slice keys[] = {
	    slice_of(lane != NULL ? lane : ""), slice_of(q->keys[KEY_LANES]),
	    slice_of(q->keys[KEY_SERVED]), slice_of(q->keys[KEY_DELAYED])};
	const struct slice args[] = {name, arg_number(most, UNLANE_MAX),
				     arg_number(bytes, UNLANE_BYTES)};
	int sent = -1;

	if (lane != NULL)
		sent = redis_request_eval(&u->request,
					  &q->broker->scripts[SCRIPT_UNLANE],
					  REDIS_ARGS(keys), REDIS_ARGS(args));
	free(lane);
	return sent;
}

/* What fails is tried again with the next heartbeat, by us or another. */
static void
runlane_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct unlane *u = container_of(request, struct unlane, request);

	if (redis_fault(reply) == REDIS_FAULT_NONE)
		rqueue_promote(u->queue);
	if (redis_fault(reply) != REDIS_FAULT_NONE ||
	    redis_reply_integer(reply) == 0 || runlane_send(u) != 0)
		runlane_free(request);
}

static void
rlane_put_back(struct rqueue *q, struct slice name)
{
	struct unlane *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return;
	*u = (struct unlane){.request = {.queue = q->broker->requests,
					 .on_reply = runlane_on_reply,
					 .drop = runlane_free},
			     .queue = q,
			     .name = strndup(name.p, name.len)};
	if (u->name == NULL || runlane_send(u) != 0)
		runlane_free(&u->request);
}

static void
rserve_on_answer(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct rqueue *q = arg;
	const struct redis_reply *lapsed = redis_reply_at(reply, 0);
	const size_t n = redis_reply_count(lapsed);
	struct slice name;
	size_t i;

	if (redis_fault(reply) != REDIS_FAULT_NONE)
		return;
	/* One that leaves has names for a moment, but takes no task any more. */
	if (q->broker->serving)
		rqueue_recall(q, redis_reply_at(reply, 1));
	for (i = 0; i < n && q->phase == RQUEUE_READY; i++) {
		name = redis_reply_string(redis_reply_at(lapsed, i));
		if (name.p != NULL)
			rlane_put_back(q, name);
	}
}

/* Says in each queue that names are good for so long from now. */
static void
rserve_send_some(struct rbroker *b, char *const *names, size_t n,
		 int64_t life_s, redis_reply_fn *on_reply)
{
	struct slice *args = calloc(1 + n, sizeof(*args));
	char life[ARG_NUMBER_SIZE];
	struct rqueue *q;
	size_t i;

	if (args == NULL)
		return;
	args[0] = arg_number(life, life_s * 1000);
	for (i = 0; i < n; i++)
		args[1 + i] = slice_of(names[i]);
	for (q = b->queues; q < b->queues + b->n_queues; q++) {
		const struct slice keys[] = {slice_of(q->keys[KEY_SERVED]),
					     slice_of(q->keys[KEY_LANES]),
					     slice_of(q->keys[KEY_UNKNOWN])};

		rbroker_eval(b, SCRIPT_SERVE, on_reply, q, 3, keys, 1 + n,
			     args);
	}
	free(args);
}

/* Which lanes have lapsed, and which names are not unknown any more, is known when
 * all are said. */
static void
rserve_send(struct rbroker *b, char *const *names, size_t n, int64_t life_s)
{
	for (; n > SERVE_MAX; names += SERVE_MAX, n -= SERVE_MAX)
		rserve_send_some(b, names, SERVE_MAX, life_s, NULL);
	rserve_send_some(b, names, n, life_s, rserve_on_answer);
}

void
rbroker_serve(struct rbroker *b)
{
	if (b->serving)
		rserve_send(b, b->tasks, b->n_tasks,
			    BROKER_HEARTBEAT_TTL_S - 1);
}

void
rbroker_unserve(struct rbroker *b)
{
	if (b->serving)
		rserve_send(b, b->tasks, b->n_tasks, LAPSE_S);
	b->serving = false;
}

/* --- what this worker can run -------------------------------------------- */

static int
rtasks_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
rbroker_forget_tasks(struct rbroker *b)
{
	size_t i;

	for (i = 0; i < b->n_tasks; i++)
		free(b->tasks[i]);
	free(b->tasks);
	b->tasks = NULL;
	b->n_tasks = 0;
}

static bool
rtasks_same(const struct rbroker *b, char *const *tasks, size_t n)
{
	size_t i;

	if (!b->serving || n != b->n_tasks)
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(b->tasks[i], tasks[i]) != 0)
			return false;
	return true;
}

/* Names that it had and has no more lapse soon. Both lists are sorted. */
static void
rtasks_drop(struct rbroker *b, char *const *tasks, size_t n)
{
	char **gone = calloc(b->n_tasks + 1, sizeof(*gone));
	size_t i, k = 0, n_gone = 0;

	for (i = 0; gone != NULL && b->serving && i < b->n_tasks; i++) {
		while (k < n && strcmp(tasks[k], b->tasks[i]) < 0)
			k++;
		if (k == n || strcmp(tasks[k], b->tasks[i]) != 0)
			gone[n_gone++] = b->tasks[i];
	}
	if (n_gone > 0)
		rserve_send(b, gone, n_gone, LAPSE_S);
	free(gone);
}

/* What it could run before, it must not take any more; and a lane that nobody
 * served may now be its own. */
static void
rtasks_replace(struct rbroker *b, char **tasks, size_t n)
{
	const bool same = rtasks_same(b, tasks, n);
	unsigned int i;

	rtasks_drop(b, tasks, n);
	rbroker_forget_tasks(b);
	b->tasks = tasks;
	b->n_tasks = n;
	b->serving = true;
	for (i = 0; i < b->n_queues && !same; i++) {
		rlanes_done(&b->queues[i].lanes);
		rqueue_wake(&b->queues[i]);
	}
}

int
rbroker_set_tasks(struct rbroker *b, const struct slice *names, size_t n)
{
	/* The empty name says that there is a worker at all; the other one, that
	 * it can take what a limit holds (limit.c). */
	const struct slice own[] = {SLICE(""), SLICE(RLIMIT_LANE)};
	const size_t n_own = sizeof(own) / sizeof(own[0]);
	char **tasks = calloc(n + n_own, sizeof(*tasks));
	struct slice name;
	size_t i;

	for (i = 0; tasks != NULL && i < n + n_own; i++) {
		name = i < n_own ? own[i] : names[i - n_own];
		if ((tasks[i] = strndup(name.p, name.len)) == NULL)
			break;
	}
	if (tasks == NULL || i < n + n_own) {
		while (tasks != NULL && i > 0)
			free(tasks[--i]);
		free(tasks);
		return -1;
	}
	qsort(tasks, n + n_own, sizeof(*tasks), rtasks_compare);
	rtasks_replace(b, tasks, n + n_own);
	return 0;
}

static bool
rtasks_have(const struct rbroker *b, const char *name)
{
	return b->n_tasks > 0 && bsearch(&name, b->tasks, b->n_tasks,
					 sizeof(*b->tasks), rtasks_compare);
}

/* --- lanes to claim from ------------------------------------------------- */

/* Whether it was not known; without memory it is told again with each claim. */
static bool
rlanes_add(struct rqueue *q, char *key)
{
	struct rlanes *l = &q->lanes;
	char **wider;
	size_t i;

	for (i = 0; i < l->n && key != NULL; i++)
		if (strcmp(l->keys[i], key) == 0)
			break;
	if (key == NULL || i < l->n ||
	    (wider = reallocarray(l->keys, l->n + 1, sizeof(*wider))) == NULL) {
		free(key);
		return false;
	}
	l->keys = wider;
	wider[l->n++] = key;
	return true;
}

bool
rqueue_learn_lanes(struct rqueue *q, const struct redis_reply *told)
{
	const size_t n = redis_reply_count(told);
	struct slice name;
	bool news = false;
	char *text;
	size_t i;

	/* The first is the word "lanes". */
	for (i = 1; i < n; i++) {
		name = redis_reply_string(redis_reply_at(told, i));
		text = name.p != NULL ? strndup(name.p, name.len) : NULL;
		if (text != NULL && strcmp(text, RLIMIT_LANE) != 0 &&
		    rtasks_have(q->broker, text) &&
		    rlanes_add(q, rqueue_lane_key(q, name)))
			news = true;
		free(text);
	}
	return news;
}
