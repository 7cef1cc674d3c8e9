/* SPDX-License-Identifier: MIT */
/*
 * The Redis backend: final records that travel straight to who awaits them.
 *
 * A watch costs the server a subscription and one question or two for each
 * task, and its end a round trip. Who submits a task can have all that spared:
 * it subscribes once to a channel of its own, flowrra:reply:<address>, and puts
 * the address into the task. The worker that stores the final record publishes
 * it there, too. Such a message can get lost; then a watch finds out.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/result_json.h"
#include "store/redis/results.h"
#include "util/uuid.h"

static const char REPLY[] = "flowrra:reply:";

static void
rreply_on_ready(struct redis *redis, void *arg)
{
	((struct rresults *)arg)->reply_ready = true;
}

/* Leaves reply_channel NULL if that cannot be done now. */
static void
rreply_subscribe(struct rresults *r)
{
	struct buf channel = BUF_INIT;
	char address[UUID_TEXT_SIZE];
	struct err err;

	if (rresults_open_listener(r, &err) != 0)
		return;
	uuid_make_random(address);
	buf_adds(&channel, REPLY);
	buf_adds(&channel, address);
	if (channel.failed ||
	    redis_subscribe(r->listener,
			    (struct slice){channel.data, channel.len},
			    rreply_on_ready, r) != 0) {
		buf_done(&channel);
		return;
	}
	r->reply_channel = buf_take(&channel);
}

const char *
rresults_reply_to(struct results *results)
{
	struct rresults *r = (struct rresults *)results;

	if (r->reply_channel == NULL)
		rreply_subscribe(r);
	return r->reply_ready ? r->reply_channel + strlen(REPLY) : NULL;
}

void
rresults_reply_channel(struct buf *out, const struct results_put *put)
{
	if (put->reply_to.len == 0)
		return;
	buf_adds(out, REPLY);
	buf_add(out, put->reply_to.p, put->reply_to.len);
}

bool
rresults_reply_message(struct rresults *r, struct slice channel,
		       struct slice payload)
{
	struct buf scratch = BUF_INIT;
	struct result result;

	if (r->reply_channel == NULL ||
	    !slice_eq(channel, slice_of(r->reply_channel)))
		return false;
	/* Anybody can publish: what is not a final record is ignored. */
	if (result_decode(payload, &scratch, &result, NULL) == 0 &&
	    result_status_final(result.status))
		rresults_watches_reply(r, result.task_id, payload);
	buf_done(&scratch);
	return true;
}

void
rresults_reply_close(struct rresults *r)
{
	free(r->reply_channel);
}
