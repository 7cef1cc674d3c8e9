/* SPDX-License-Identifier: MIT */
/* The worker of a damaged database: it settles what it can claim. */
#include "fuzz/sqlite_damage/worker.h"

#include <event2/event.h>

#include "store/broker.h"
#include "util/err.h"

/* It looks at what there is for so long: it is told within that of all that it can
 * have. */
#define WORK_MS 5
#define SETTLES_MAX 8

struct damaged_worker {
	struct event_base *base;
	struct broker *broker;
	struct broker_settle settles[SETTLES_MAX];
	size_t n;
	struct peer_input *in;
};

static void
on_settled(struct broker_settle *settle)
{
}

static void
on_claim(struct broker_claim *claim, void *arg)
{
	struct damaged_worker *w = arg;
	struct broker_settle *settle = &w->settles[w->n];
	volatile char sum = 0;
	size_t i;

	for (i = 0; i < claim->bytes.len; i++)
		sum = (char)(sum + claim->bytes.p[i]);
	if (claim->whole > 0 || w->n == SETTLES_MAX)
		return;
	w->n++;
	*settle = (struct broker_settle){
	    .disposition = peer_next(w->in) % 5,
	    .claim = claim,
	    .retry_bytes = SLICE("{\"id\":\"t1\",\"name\":\"add\"}"),
	    .lane = SLICE("odd"),
	    .id = SLICE("t1"),
	    .info = SLICE("{}"),
	    .on_done = on_settled};
	broker_settle(w->broker, settle);
}

static void
on_lost(struct broker_claim *claim, void *arg)
{
}

static void
on_kept(struct broker_claim *claim, void *arg)
{
}

static void
on_idle(void *arg)
{
}

static void
on_control(struct slice message, void *arg)
{
}

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	struct damaged_worker *w = arg;

	if (up && why == NULL && w->broker != NULL)
		broker_want(w->broker, 0, 4);
}

void
damaged_work(const char *url, struct peer_input *in)
{
	static const char *const queues[] = {"io"};
	struct damaged_worker w = {.base = event_base_new(), .in = in};
	const struct broker_options options = {.base = w.base,
					       .url = url,
					       .queue_key = "flowrra:queue",
					       .timeout_ms = 1000,
					       .max_connections = 4,
					       .with_results = true,
					       .worker = "host:b",
					       .token = "token",
					       .predecessor = "",
					       .queues = queues,
					       .n_queues = 1,
					       .max_task = 1 << 20,
					       .on_claim = on_claim,
					       .on_lost = on_lost,
					       .on_kept = on_kept,
					       .on_idle = on_idle,
					       .on_control = on_control,
					       .on_state = on_state,
					       .arg = &w};
	const struct timeval ms = {.tv_usec = WORK_MS * 1000};
	const struct slice name = SLICE("add"), word = SLICE("{}");

	if ((w.broker = broker_open(&options, NULL)) != NULL) {
		broker_register(w.broker, &name, &word, 1);
		broker_heartbeat(w.broker, SLICE("{\"queues\":[\"io\"]}"));
		broker_want(w.broker, 0, 4);
		event_base_loopexit(w.base, &ms);
		event_base_dispatch(w.base);
		broker_close(w.broker);
	}
	event_base_free(w.base);
}
