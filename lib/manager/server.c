/* SPDX-License-Identifier: MIT */
/*
 * The servers behind it all. Each is asked something that costs it nothing, and
 * the time is taken: so it is that of a way there and back. A server that does
 * not answer is told as down, with the reason; the answer is made all the same,
 * since it is looked at when something is wrong.
 */
#include "manager/server.h"

#include "manager/member.h"
#include "manager/query.h"
#include "store/broker.h"
#include "store/results.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S 1e6

static double
seconds_since(int64_t began_us)
{
	return (double)(clock_mono_us() - began_us) / US_PER_S;
}

/* -1: the broker does not answer. */
double
server_broker_rtt(struct flowrra_client *c)
{
	const int64_t began_us = clock_mono_us();
	struct err err;

	return query_ping(c, &err) == 0 ? seconds_since(began_us) : -1;
}

/* On the loop. Our clock is read when the report comes, so that half a way is
 * in the skew: enough to find a clock that is minutes wrong. */
static void
server_on_report(const struct broker_report *report, void *arg)
{
	json_t *broker = arg;

	json_object_set_new(broker, "server", member_of_text(report->server));
	json_object_set_new(
	    broker, "clock_skew",
	    json_real((double)(report->clock_us - clock_wall_us()) / US_PER_S));
}

static void
server_set_error(json_t *server, const struct err *err)
{
	json_object_set_new(server, "up", json_false());
	json_object_set_new(server, "error", member_of_text(err->msg));
}

static json_t *
server_broker(struct flowrra_client *c)
{
	json_t *broker = json_pack("{s:o,s:b,s:n,s:n,s:n,s:n}", "url",
				   member_of_text(broker_name(c->broker)), "up",
				   1, "server", "clock_skew", "rtt", "error");
	struct err err = ERR_INIT;
	const int64_t began_us = clock_mono_us();

	if (broker == NULL)
		return NULL;
	if (query_ping(c, &err) != 0) {
		server_set_error(broker, &err);
		return broker;
	}
	json_object_set_new(broker, "rtt", json_real(seconds_since(began_us)));
	if (query_examine(c, server_on_report, broker, &err) != 0)
		server_set_error(broker, &err);
	return broker;
}

/* The question for counts opens the backend, if nothing has done so before. */
static json_t *
server_backend(struct flowrra_client *c)
{
	json_t *backend = json_pack("{s:n,s:b,s:n,s:n,s:b}", "url", "up", 1,
				    "rtt", "error", "same", c->one_store);
	const int64_t began_us = clock_mono_us();
	struct results_counts counts;
	struct err err = ERR_INIT;

	if (backend == NULL)
		return NULL;
	if (query_counts(c, &counts, &err) != 0)
		server_set_error(backend, &err);
	else
		json_object_set_new(backend, "rtt",
				    json_real(seconds_since(began_us)));
	/* It was opened for that question, at the latest. */
	if (c->results != NULL)
		json_object_set_new(backend, "url",
				    member_of_text(results_name(c->results)));
	return backend;
}

json_t *
server_facts(struct flowrra_client *c)
{
	json_t *broker = server_broker(c), *backend = server_backend(c);

	return json_pack("{s:s,s:o,s:o}", "version", FLOWRRA_VERSION, "broker",
			 broker, "backend", backend);
}
