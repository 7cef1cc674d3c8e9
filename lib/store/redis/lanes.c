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
#include <stdlib.h>
#include <string.h>

#include "store/redis/broker.h"

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
	char **tasks = calloc(n + 1, sizeof(*tasks));
	struct slice name = SLICE("");
	size_t i;

	/* The empty name says that there is a worker at all. */
	for (i = 0; tasks != NULL && i <= n; i++) {
		if ((tasks[i] = strndup(name.p, name.len)) == NULL)
			break;
		if (i < n)
			name = names[i];
	}
	if (tasks == NULL || i <= n) {
		while (tasks != NULL && i > 0)
			free(tasks[--i]);
		free(tasks);
		return -1;
	}
	qsort(tasks, n + 1, sizeof(*tasks), rtasks_compare);
	rtasks_replace(b, tasks, n + 1);
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
		if (text != NULL && rtasks_have(q->broker, text) &&
		    rlanes_add(q, rqueue_lane_key(q, name)))
			news = true;
		free(text);
	}
	return news;
}

/* --- questions ----------------------------------------------------------- */

/*
 * Three plain commands that leave together, since a script would have to be
 * loaded first: what time it is, until when the last of the workers is good for,
 * and until when this task is. In this order: a name that comes between the
 * last two is known.
 */
enum rserved_question {
	SERVED_TIME,
	SERVED_ANY,
	SERVED_NAME,
	SERVED_QUESTIONS
};

struct served_query {
	struct rserved_request {
		struct redis_request request;
		struct served_query *query;
	} requests[SERVED_QUESTIONS];
	unsigned int open; /* of these */
	struct rbroker *broker;
	double now_ms, any_ms, name_ms; /* until when */
	struct err err;
	broker_value_fn *on_value;
	void *arg;
};

static void
rserved_drop(struct redis_request *request)
{
	struct served_query *s =
	    container_of(request, struct rserved_request, request)->query;

	if (--s->open == 0)
		free(s);
}

/* Scores are milliseconds since 1970: whole numbers. */
static double
rserved_number(const struct redis_reply *reply)
{
	const struct slice text = redis_reply_string(reply);

	return text.p != NULL ? strtod(text.p, NULL) : 0;
}

static void
rserved_note(struct served_query *s, enum rserved_question question,
	     const struct redis_reply *reply)
{
	switch (question) {
	case SERVED_TIME:
		s->now_ms = rserved_number(redis_reply_at(reply, 0)) * 1000 +
			    rserved_number(redis_reply_at(reply, 1)) / 1000;
		break;
	case SERVED_ANY: /* the member, and its score */
		s->any_ms = rserved_number(redis_reply_at(reply, 1));
		break;
	case SERVED_NAME:
		s->name_ms = rserved_number(reply);
		break;
	case SERVED_QUESTIONS:
		break;
	}
}

static struct slice
rserved_answer(const struct served_query *s)
{
	if (s->name_ms > s->now_ms)
		return SLICE("known");
	return s->any_ms > s->now_ms ? SLICE("unknown")
				     : (struct slice){NULL, 0};
}

static void
rserved_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	const struct rserved_request *one =
	    container_of(request, struct rserved_request, request);
	struct served_query *s = one->query;

	if (redis_fault(reply) == REDIS_FAULT_NONE)
		rserved_note(s, (enum rserved_question)(one - s->requests),
			     reply);
	else if (s->err.code == ERR_NONE)
		redis_fault_err(s->broker->redis, "asking who runs a task",
				reply, &s->err);
	if (--s->open > 0)
		return;
	if (s->err.code != ERR_NONE)
		s->on_value((struct slice){NULL, 0}, &s->err, s->arg);
	else
		s->on_value(rserved_answer(s), NULL, s->arg);
	free(s);
}

static void
rserved_send(struct served_query *s, struct slice key, struct slice name)
{
	const struct slice time[] = {SLICE("TIME")};
	const struct slice any[] = {SLICE("ZRANGE"), key, SLICE("-1"),
				    SLICE("-1"), SLICE("WITHSCORES")};
	const struct slice one[] = {SLICE("ZSCORE"), key, name};
	const struct redis_args commands[SERVED_QUESTIONS] = {
	    [SERVED_TIME] = REDIS_ARGS(time),
	    [SERVED_ANY] = REDIS_ARGS(any),
	    [SERVED_NAME] = REDIS_ARGS(one)};
	unsigned int i;

	for (i = 0; i < SERVED_QUESTIONS; i++) {
		struct redis_request *request = &s->requests[i].request;

		*request = (struct redis_request){.queue = s->broker->requests,
						  .on_reply = rserved_on_reply,
						  .drop = rserved_drop};
		s->requests[i].query = s;
		/* Out of reach: the answer is an error, and comes from the
		 * loop. */
		if (redis_request_command(request, commands[i]) != 0)
			redis_request_later(request);
	}
}

void
rbroker_served(struct broker *broker, const struct broker_served *question,
	       broker_value_fn *on_value, void *arg)
{
	struct rbroker *b = (struct rbroker *)broker;
	struct served_query *s = calloc(1, sizeof(*s));
	struct buf key = BUF_INIT;
	struct err err;

	rqueue_add_key(&key, b, question->queue, KEY_SERVED);
	if (s == NULL || key.failed) {
		free(s);
		err_nomem(&err);
		on_value((struct slice){NULL, 0}, &err, arg);
	} else {
		s->broker = b;
		s->open = SERVED_QUESTIONS;
		s->on_value = on_value;
		s->arg = arg;
		rserved_send(s, (struct slice){key.data, key.len},
			     question->name);
	}
	buf_done(&key);
}
