/* SPDX-License-Identifier: MIT */
/* The load of a run: a thread that submits tasks, whatever happens. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <flowrra/client.h>

#include "soak/soak.h"

#define BATCH_MAX 64

struct producer {
	pthread_t thread;
	struct load load;
	struct rng rng;
	struct ledger *ledger;
	struct flowrra_client *client;
	atomic_bool stop;
	atomic_size_t refused;
	/* Of the batch's tasks. */
	int64_t due_us[BATCH_MAX];
	unsigned int traits[BATCH_MAX];
};

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const struct {
	const char *name, *args; /* NULL: the ledger's path, and how long */
	unsigned int traits;
} kinds[] = {
    {"ledger", NULL, 0},
    {"ledger", NULL, 0},
    {"ledger_cpu", NULL, TRAIT_CPU},
    {"ledger_async", NULL, 0},
    {"ledger_retry", NULL, TRAIT_RETRIES},
    {"ledger_command", NULL, 0},
    {"ledger_command", NULL, 0},
    {"add", "[1,1]", TRAIT_RECORD_ONLY},
    {"timer", "[0.02]", TRAIT_RECORD_ONLY},
};
#define KIND_RETRY 4
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
add_one(struct producer *p, struct flowrra_batch *batch)
{
	static const int priorities[] = {0, 0, 0, -5, 3};
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	const size_t kind =
	    (size_t)rng_between(&p->rng, 0,
				p->load.fleet	  ? N_KINDS - 1
				: p->load.retries ? KIND_RETRY
						  : KIND_RETRY - 1);
	const size_t i = flowrra_batch_count(batch);
	char args[512];

	snprintf(args, sizeof(args), "[\"%s\",%d]", ledger_path(p->ledger),
		 (int)rng_between(&p->rng, 0, p->load.max_ms));
	request.name = kinds[kind].name;
	request.args = kinds[kind].args != NULL ? kinds[kind].args : args;
	request.cpu_bound = (kinds[kind].traits & TRAIT_CPU) != 0;
	request.queue = request.cpu_bound ? "cpu" : "io";
	if (p->load.queue != NULL)
		request.queue = p->load.queue;
	request.force = true;
	if (kind == KIND_RETRY)
		request.retry_delay_s = LEDGER_RETRY_MS / 1000.0;
	if (!p->load.no_priorities)
		request.priority = priorities[rng_between(&p->rng, 0, 4)];
	if (p->load.delays && rng_between(&p->rng, 0, 3) == 0)
		request.delay_s = (double)rng_between(&p->rng, 10, 500) / 1000;
	/* Times are in whole milliseconds. */
	p->traits[i] = kinds[kind].traits;
	p->due_us[i] = request.delay_s > 0
			   ? now_us() + (int64_t)(request.delay_s * 1e6) - 2000
			   : 0;
	flowrra_batch_add(batch, &request, NULL);
}

static void
submit_some(struct producer *p, struct flowrra_batch *batch)
{
	bool acknowledged;
	size_t i;

	flowrra_batch_reset(batch);
	for (i = 0; i < p->load.batch; i++)
		add_one(p, batch);
	if (flowrra_batch_send(batch, NULL) != 0 ||
	    flowrra_batch_wait(batch, NULL) != 0)
		return;
	for (i = 0; i < flowrra_batch_count(batch); i++) {
		acknowledged = flowrra_batch_answer(batch, i, NULL) == 0;
		if (!acknowledged)
			p->refused++;
		ledger_submitted(p->ledger, flowrra_batch_id(batch, i),
				 acknowledged, p->traits[i], p->due_us[i]);
	}
}

static void *
produce(void *arg)
{
	struct producer *p = arg;
	struct flowrra_batch *batch;

	if (flowrra_batch_new(p->client, &batch, NULL) != 0)
		abort();
	while (!p->stop) {
		submit_some(p, batch);
		scene_sleep(p->load.gap_ms);
	}
	flowrra_batch_free(batch);
	return NULL;
}

void
load_start(struct scene *s, const struct load *load)
{
	struct producer *p = calloc(1, sizeof(*p));

	ck_assert_ptr_nonnull(p);
	if (load != NULL)
		p->load = *load;
	if (p->load.batch == 0)
		p->load.batch = 6;
	if (p->load.gap_ms == 0)
		p->load.gap_ms = 40;
	if (p->load.max_ms == 0)
		p->load.max_ms = 30;
	ck_assert_uint_le(p->load.batch, BATCH_MAX);
	p->rng.state = rng_next(&s->rng);
	p->ledger = s->ledger;
	p->client = scene_client(s, "1s");
	s->producer = p;
	ck_assert_int_eq(pthread_create(&p->thread, NULL, produce, p), 0);
}

size_t
load_refused(const struct scene *s)
{
	return s->producer->refused;
}

void
load_stop(struct scene *s)
{
	struct producer *p = s->producer;

	if (p == NULL)
		return;
	p->stop = true;
	pthread_join(p->thread, NULL);
	flowrra_close(p->client);
	free(p);
	s->producer = NULL;
}
