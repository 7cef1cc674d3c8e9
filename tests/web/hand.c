/* SPDX-License-Identifier: MIT */
#include "web/hand.h"

#include <event2/event.h>
#include <stdio.h>

#include "client/client.h"
#include "store/broker.h"
#include "store/results.h"
#include "store/store.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/pending.h"

/* A worker that claims what waits in "io" and buries it, or says that it has
 * succeeded. */
struct hand {
	struct event_base *base;
	struct stores stores;
	const char *info; /* NULL: it succeeds */
	unsigned int wanted, done;
	struct broker_settle settles[64];
	struct results_put puts[64];
	char ids[64][64], records[64][512];
};
static struct hand hand;

static void
hand_settled(struct broker_settle *settle)
{
	hand.done++;
}

static void
hand_stored(struct results_put *put)
{
	struct broker_settle *settle = put->arg;

	broker_settle(hand.stores.broker, settle);
}

static void
hand_on_claim(struct broker_claim *claim, void *arg)
{
	static unsigned int n;
	const unsigned int at = n++ % 64;
	struct broker_settle *settle = &hand.settles[at];
	json_t *task = json_loadb(claim->bytes.p, claim->bytes.len, 0, NULL);
	const char *id = json_string_value(json_object_get(task, "id"));
	const bool failed = hand.info != NULL;

	snprintf(hand.ids[at], sizeof(hand.ids[at]), "%s", id);
	snprintf(hand.records[at], sizeof(hand.records[at]),
		 "{\"task_id\":\"%s\",\"status\":\"%s\",\"task_name\":\"%s\","
		 "\"result\":[1.50],\"error\":%s,\"finished_at\":"
		 "\"2026-11-23T12:00:0%u.000000+00:00\",\"args\":[1],"
		 "\"kwargs\":{},\"queue\":\"io\",\"worker\":\"host:a\"}",
		 id, failed ? "failed" : "success",
		 json_string_value(json_object_get(task, "name")),
		 failed ? "\"disk full, password=sesame\"" : "null", at % 10);
	json_decref(task);
	*settle = (struct broker_settle){
	    .claim = claim,
	    .disposition = failed ? BROKER_BURY : BROKER_ACK,
	    .id = slice_of(hand.ids[at]),
	    .info = slice_of(failed ? hand.info : ""),
	    .on_done = hand_settled};
	hand.puts[at] =
	    (struct results_put){.id = slice_of(hand.ids[at]),
				 .record = slice_of(hand.records[at]),
				 .final = true,
				 .failed = failed,
				 .on_done = hand_stored,
				 .arg = settle};
	results_put(hand.stores.results, &hand.puts[at]);
}

static void
hand_nothing(struct broker_claim *claim, void *arg)
{
}

static void
hand_idle(void *arg)
{
}

static void
hand_control(struct slice message, void *arg)
{
}

static void
hand_state(bool up, bool final, const struct err *why, void *arg)
{
}

void
hand_end_tasks(struct desk *d, unsigned int n, const char *info)
{
	static const char *const queues[] = {"io"};
	const int64_t end_ms = clock_mono_ms() + 10000;
	struct stores_options options = {.base = event_base_new(),
					 .conf = d->conf,
					 .on_broker_state = hand_state,
					 .on_results_state = hand_state,
					 .worker = "host:a",
					 .token = "1",
					 .predecessor = "",
					 .queues = queues,
					 .n_queues = 1,
					 .on_claim = hand_on_claim,
					 .on_lost = hand_nothing,
					 .on_kept = hand_nothing,
					 .on_idle = hand_idle,
					 .on_control = hand_control};
	struct err err = ERR_INIT;

	hand = (struct hand){.base = options.base, .info = info};
	ck_assert_msg(stores_open(&options, &hand.stores, &err) == 0, "%s",
		      err.msg);
	broker_want(hand.stores.broker, 0, n);
	while (hand.done < n) {
		ck_assert_msg(clock_mono_ms() < end_ms, "%u of %u ended",
			      hand.done, n);
		event_base_loop(hand.base, EVLOOP_ONCE);
	}
	broker_close(hand.stores.broker);
	results_close(hand.stores.results);
	event_base_free(hand.base);
}

/* --- on the way ----------------------------------------------------------- */

struct noting {
	struct query q;
	struct results_put put;
};

static void
on_noted(struct results_put *put)
{
	query_end(&container_of(put, struct noting, put)->q, NULL);
}

static void
noting_send(struct query *q)
{
	results_put(q->client->results,
		    &container_of(q, struct noting, q)->put);
}

void
hand_note(struct desk *d, const char *id, const char *record)
{
	struct noting note = {.q = {.client = d->client,
				    .of_results = true,
				    .once = true,
				    .send = noting_send},
			      .put = {.id = slice_of(id),
				      .record = slice_of(record),
				      .on_done = on_noted}};
	struct err err;

	ck_assert_msg(query_run(&note.q, &err) == 0, "%s", err.msg);
}
