/* SPDX-License-Identifier: MIT */
/*
 * The end of a batch: replicas confirm that they have it, if they are to.
 *
 * A master answers before its replicas have what it did, and a failover loses
 * what none of them had. WAIT answers when they have all that came before it on
 * its connection, or after a while with how many do. It is sent from within the
 * last answer, so that both are of one connection, and of one server. The server
 * answers nothing else on that connection meanwhile; so a worker, whose claims and
 * settlements go that way, submits on another one. In a Cluster, each queue of the
 * batch is asked about at its node.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis/submit.h"

/* Whether what is answered for the first of them is for the second. */
static bool
confirm_goes_for(const struct rbatch *batch, size_t first, size_t i)
{
	return !batch->broker->url.cluster ||
	       strcmp(batch->tasks[first].queue, batch->tasks[i].queue) == 0;
}

static void
confirm_refuse(struct rbatch *batch, size_t first, const struct err *why)
{
	size_t i;

	for (i = 0; i < batch->n; i++)
		if (batch->tasks[i].err.code == ERR_NONE &&
		    confirm_goes_for(batch, first, i))
			batch->tasks[i].err = *why;
}

/* WAITAOF answers with two numbers: whether it is on the master's own disk, and
 * on those of how many replicas. */
static void
confirm_judge(struct rbatch *batch, size_t first,
	      const struct redis_reply *reply)
{
	const struct rbroker *b = batch->broker;
	const bool disk = b->opt.replicas_on_disk;
	const int64_t n =
	    redis_reply_integer(disk ? redis_reply_at(reply, 1) : reply);
	const bool here =
	    !disk || redis_reply_integer(redis_reply_at(reply, 0)) == 1;
	struct err why;

	if (redis_fault(reply) == REDIS_FAULT_NONE && here &&
	    n >= b->opt.replicas)
		return;
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(b->redis, disk ? "WAITAOF" : "WAIT", reply,
				&why);
		why.code = ERR_UNAVAILABLE;
		err_prefix(&why, "stored, but not confirmed by replicas, so "
				 "that it may be lost, or be queued");
	} else {
		err_set(&why, ERR_UNAVAILABLE,
			"stored on %s, but only %" PRId64 " of %" PRId64
			" replicas have confirmed it%s; it may be lost with "
			"that server, or be queued",
			b->url_name, n, b->opt.replicas,
			here ? "" : ", and not its own disk");
	}
	confirm_refuse(batch, first, &why);
}

static void
confirm_on_reply(struct redis_request *request, const struct redis_reply *reply)
{
	struct rrun run = *container_of(request, struct rrun, request);

	free(container_of(request, struct rrun, request));
	confirm_judge(run.batch, run.first, reply);
	rbatch_ended(run.batch);
}

/* Whether it is the first that was queued of those that are confirmed together. */
static bool
confirm_is_first(const struct rbatch *batch, size_t i)
{
	size_t k;

	if (batch->tasks[i].err.code != ERR_NONE)
		return false;
	for (k = 0; k < i; k++)
		if (batch->tasks[k].err.code == ERR_NONE &&
		    confirm_goes_for(batch, k, i))
			return false;
	return true;
}

/* For those of which this is the first; whether it is under way. */
static bool
confirm_ask(struct rbatch *batch, size_t i)
{
	const struct rbroker *b = batch->broker;
	char n[ARG_NUMBER_SIZE], ms[ARG_NUMBER_SIZE];
	const struct slice replicas = arg_number(n, b->opt.replicas);
	const struct slice patience = arg_number(ms, b->opt.timeout_ms / 2);
	const struct slice in_memory[] = {SLICE("WAIT"), replicas, patience};
	const struct slice on_disk[] = {SLICE("WAITAOF"), SLICE("1"), replicas,
					patience};
	struct rrun *run = rbatch_run(batch, i, batch->n - i, confirm_on_reply);
	struct buf queue = BUF_INIT;
	bool sent;

	buf_addf(&queue, "%s:%s", b->queue_key, batch->tasks[i].queue);
	sent = run != NULL && !queue.failed &&
	       redis_request_near(
		   &run->request, (struct slice){queue.data, queue.len},
		   b->opt.replicas_on_disk ? REDIS_ARGS(on_disk)
					   : REDIS_ARGS(in_memory)) == 0;
	buf_done(&queue);
	if (sent) {
		batch->under_way++;
		return true;
	}
	free(run);
	confirm_judge(batch, i, NULL);
	return false;
}

bool
rbatch_confirm(struct rbatch *batch)
{
	bool asked = false;
	size_t i;

	if (batch->broker->opt.replicas == 0 || batch->confirming)
		return false;
	batch->confirming = true;
	for (i = 0; i < batch->n; i++)
		if (confirm_is_first(batch, i))
			asked = confirm_ask(batch, i) || asked;
	return asked;
}

/* --- of workers ------------------------------------------------------------- */

/* What keeps it from submitting, its submissions say. */
static void
confirm_on_state(bool up, bool final, const struct err *why, void *arg)
{
}

int
rbroker_open_producer(struct rbroker *b, struct err *err)
{
	struct broker_options options = b->opt;

	if (b->opt.replicas == 0)
		return 0;
	options.worker = NULL;
	options.n_queues = 0;
	options.on_state = confirm_on_state;
	b->producer = broker_redis.open(&options, err);
	return b->producer != NULL ? 0 : -1;
}
