/* SPDX-License-Identifier: MIT */
/* A Redis server, and those who use it. */
#include "commands_world.h"

#include <err.h>
#include <event2/event.h>
#include <hiredis.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "util/clock.h"

/* A call that takes this long hangs. */
#define HANGS_MS 120000
/* No claim for so long: there is none. */
#define QUIET_MS 500
/* What the worker says of itself. */
#define WORLD_WORD "{\"id\":\"host:b\",\"queues\":[\"io\"]}"

/* --- waiting ------------------------------------------------------------- */

/* A worker that does not say that it lives doubts all that it has in flight. */
static void
world_turn(struct world *w, int ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000,
				   .tv_usec = ms % 1000 * 1000};
	const int64_t now_ms = clock_mono_ms();

	if (w->worker != NULL &&
	    now_ms - w->beat_ms >= INT64_C(1000) * BROKER_HEARTBEAT_S) {
		broker_heartbeat(w->worker, SLICE(WORLD_WORD));
		w->beat_ms = now_ms;
	}
	event_base_loopexit(w->base, &tv);
	event_base_loop(w->base, EVLOOP_ONCE);
}

void
world_wait(struct world *w)
{
	const int64_t end_ms = clock_mono_ms() + HANGS_MS;

	while (!w->answered) {
		event_base_loop(w->base, EVLOOP_ONCE);
		if (clock_mono_ms() > end_ms)
			errx(1, "a call was not answered");
	}
	if (w->err.code != ERR_NONE)
		errx(1, "%s", w->err.msg);
	w->answered = false;
}

void
world_done(struct world *w, const struct err *err)
{
	w->answered = true;
	if (err != NULL)
		w->err = *err;
}

static void
world_on_state(bool up, bool final, const struct err *why, void *arg)
{
	if (!up && why != NULL)
		errx(1, "%s", why->msg);
}

/* --- opening ------------------------------------------------------------- */

static struct broker_options
world_options(struct world *w)
{
	return (struct broker_options){.base = w->base,
				       .url = redis_server_unix_url(w->server),
				       .queue_key = "flowrra:queue",
				       .timeout_ms = 60000,
				       .max_connections = 10,
				       .with_results = true,
				       .on_state = world_on_state,
				       .arg = w};
}

static struct broker *
world_broker(const struct broker_options *options)
{
	struct err why;
	struct broker *b = broker_open(options, &why);

	if (b == NULL)
		errx(1, "%s", why.msg);
	while (!broker_is_up(b))
		event_base_loop(options->base, EVLOOP_ONCE);
	return b;
}

/* The slow log has the time that has passed: what others do on the machine is not
 * to count, if this user may see to that. The server sleeps most of the time. */
static void
world_prefer(struct redis_server *server)
{
	const struct sched_param first = {.sched_priority = 1};
	redisReply *reply = redis_server_command(server, "INFO server");
	const char *pid = strstr(reply->str, "process_id:");

	if (pid != NULL && sched_setscheduler(atoi(pid + strlen("process_id:")),
					      SCHED_FIFO, &first) != 0)
		warn("the server waits for others on this machine");
	freeReplyObject(reply);
}

void
world_open(struct world *w, const struct commands_scene *scene)
{
	static const char *const settings[] = {"--slowlog-log-slower-than",
					       "200", "--slowlog-max-len",
					       "10000", NULL};
	const struct redis_server_options server = {.args = settings};
	struct broker_options options;
	struct results_options results;
	struct err why;

	memset(w, 0, sizeof(*w));
	w->scene = scene;
	w->server = redis_server_start(&server);
	commands_fill(w->server, scene);
	world_prefer(w->server);
	w->base = event_base_new();
	options = world_options(w);
	w->broker = world_broker(&options);
	options.max_queue_size = INT64_C(1000000000);
	w->limited = world_broker(&options);
	results = (struct results_options){.base = w->base,
					   .url = options.url,
					   .timeout_ms = 60000,
					   .max_connections = 10,
					   .on_state = world_on_state};
	if ((w->results = results_open(&results, &why)) == NULL)
		errx(1, "%s", why.msg);
	while (!results_is_up(w->results))
		event_base_loop(w->base, EVLOOP_ONCE);
}

void
world_close(struct world *w)
{
	world_stop(w);
	results_close(w->results);
	broker_close(w->limited);
	broker_close(w->broker);
	event_base_free(w->base);
	redis_server_stop(w->server);
}

/* --- producers ----------------------------------------------------------- */

static void
world_on_submitted(struct broker_submit *batch, size_t n, void *arg)
{
	const struct err *err = NULL;
	size_t i;

	/* That a queue has too many priorities is an answer as well. */
	for (i = 0; i < n; i++)
		if (batch[i].err.code != ERR_NONE &&
		    batch[i].err.code != ERR_FULL)
			err = &batch[i].err;
	world_done(arg, err);
}

/* The bytes of a task, or of its record, with such an argument. */
static char *
world_text(const char *key, const char *id, size_t size)
{
	struct buf text = BUF_INIT;
	char *pad = malloc(size + 1);

	memset(pad, 'x', size);
	pad[size] = '\0';
	buf_addf(&text,
		 "{\"%s\":\"%s\",\"name\":\"demo.noop\",\"status\":"
		 "\"pending\",\"args\":[\"",
		 key, id);
	buf_adds(&text, pad);
	buf_adds(&text, "\"]}");
	free(pad);
	return buf_take(&text);
}

void
world_submit(struct world *w, const struct world_batch *batch)
{
	static long number;
	struct broker_submit *tasks = calloc(batch->n, sizeof(*tasks));
	char(*ids)[24] = calloc(batch->n, sizeof(*ids));
	char **texts = calloc(2 * batch->n, sizeof(*texts));
	size_t i;

	for (i = 0; i < batch->n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "n%ld", number++);
		texts[2 * i] = world_text("id", ids[i], w->scene->size);
		texts[2 * i + 1] =
		    world_text("task_id", ids[i], w->scene->size);
		tasks[i] = (struct broker_submit){
		    .queue = "io",
		    .id = slice_of(ids[i]),
		    .bytes = slice_of(texts[2 * i]),
		    .record = slice_of(texts[2 * i + 1]),
		    .delay_ms = batch->delay_ms,
		    .priority = batch->levels > 0
				    ? 1 + (int32_t)number % batch->levels
				    : 0};
	}
	w->answered = false;
	broker_submit(batch->limited ? w->limited : w->broker, tasks, batch->n,
		      world_on_submitted, w);
	world_wait(w);
	for (i = 0; i < 2 * batch->n; i++)
		free(texts[i]);
	free(texts);
	free(ids);
	free(tasks);
}

/* --- the worker ---------------------------------------------------------- */

static void
world_on_claim(struct broker_claim *claim, void *arg)
{
	struct world *w = arg;

	if (w->n_claims == WORLD_CLAIMS_MAX)
		errx(1, "too many claims");
	w->claims[w->n_claims++] = claim;
}

static void
world_on_lost(struct broker_claim *claim, void *arg)
{
	errx(1, "a claim was lost");
}

static void
world_on_kept(struct broker_claim *claim, void *arg)
{
}

static void
world_on_control(struct slice message, void *arg)
{
}

static void
world_on_idle(void *arg)
{
}

/* Until there has been no claim for a moment. */
static void
world_until_quiet(struct world *w, size_t most)
{
	int64_t last_ms = clock_mono_ms();
	size_t before = w->n_claims;

	while (w->n_claims < most && clock_mono_ms() - last_ms < QUIET_MS) {
		world_turn(w, 50);
		if (w->n_claims != before)
			last_ms = clock_mono_ms();
		before = w->n_claims;
	}
}

void
world_start(struct world *w)
{
	static const char *const queues[] = {"io", "q1", "q2", "q3",
					     "q4", "q5", "q6", "q7"};
	struct broker_options options = world_options(w);

	options.worker = options.token = COMMANDS_WORKER;
	options.predecessor = "";
	options.queues = queues;
	options.n_queues = w->scene->queues > 0 ? 8 : 1;
	options.max_task = (size_t)16 << 20;
	options.on_claim = world_on_claim;
	options.on_lost = world_on_lost;
	options.on_kept = world_on_kept;
	options.on_control = world_on_control;
	options.on_idle = world_on_idle;
	w->worker = world_broker(&options);
	world_until_quiet(w, WORLD_CLAIMS_MAX);
}

void
world_stop(struct world *w)
{
	if (w->worker == NULL)
		return;
	broker_deregister(w->worker);
	world_turn(w, 20);
	broker_close(w->worker);
	w->worker = NULL;
	w->n_claims = 0;
}

void
world_claim(struct world *w, size_t n)
{
	const size_t most = w->n_claims + n;

	broker_want(w->worker, 0, (unsigned int)n);
	world_until_quiet(w, most);
	broker_want(w->worker, 0, 0);
	world_until_quiet(w, WORLD_CLAIMS_MAX);
}

static void
world_on_settled(struct broker_settle *settle)
{
	((struct world *)settle->arg)->n_settled++;
}

void
world_settle(struct world *w, enum broker_disposition how, size_t n)
{
	struct broker_settle *settles;
	const int64_t end_ms = clock_mono_ms() + HANGS_MS;
	char(*ids)[24];
	size_t i;

	n = n < w->n_claims ? n : w->n_claims;
	settles = calloc(n + 1, sizeof(*settles));
	ids = calloc(n + 1, sizeof(*ids));
	w->n_settled = 0;
	for (i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "b%zu", i);
		settles[i] = (struct broker_settle){
		    .disposition = how,
		    .claim = w->claims[--w->n_claims],
		    .retry_bytes = how == BROKER_RETRY
				       ? w->claims[w->n_claims]->bytes
				       : SLICE("[]"),
		    .delay_ms = 3600000,
		    .lane = SLICE("demo.noop"),
		    .id = slice_of(ids[i]),
		    .info = SLICE("{\"reason\":\"bench\"}"),
		    .on_done = world_on_settled,
		    .arg = w};
		broker_settle(w->worker, &settles[i]);
	}
	while (w->n_settled < n) {
		world_turn(w, 10);
		if (clock_mono_ms() > end_ms)
			errx(1, "a claim was not settled");
	}
	free(ids);
	free(settles);
}

void
world_heartbeat(struct world *w)
{
	w->beat_ms = 0;
	world_turn(w, 50);
}

void
world_tidy(struct world *w)
{
	const struct broker_limits limits = {.registry_ms = BROKER_REGISTRY_MS};

	broker_tidy(w->worker, &limits);
	world_turn(w, 50);
}

void
world_register(struct world *w)
{
	const long n = w->scene->names > 0 ? w->scene->names : 1;
	struct slice *names = calloc((size_t)n, sizeof(*names));
	struct slice *words = calloc((size_t)n, sizeof(*words));
	char(*texts)[32] = calloc((size_t)n, sizeof(*texts));
	long i;

	for (i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "app.task%ld", i);
		names[i] = slice_of(texts[i]);
		words[i] = SLICE("{\"cpu_bound\":false,\"queue\":\"io\"}");
	}
	broker_register(w->worker, names, words, (size_t)n);
	world_heartbeat(w);
	world_turn(w, 200);
	free(texts);
	free(words);
	free(names);
}

void
world_until_none(struct world *w, const char *command, int64_t ms)
{
	const int64_t end_ms = clock_mono_ms() + ms;
	redisReply *reply;
	long long n;

	do {
		world_turn(w, 50);
		reply = redis_server_command(w->server, command);
		if (reply->type != REDIS_REPLY_INTEGER)
			errx(1, "%s: %s", command, reply->str);
		n = reply->integer;
		freeReplyObject(reply);
	} while (n != 0 && clock_mono_ms() < end_ms);
	if (n != 0)
		errx(1, "%s: %lld", command, n);
}
