/* SPDX-License-Identifier: MIT */
/* Metrics of real programs, as a monitor reads them. `_i`: the store is SQLite. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"
#include "e2e/world.h"
#include "metrics_grammar.h"

#define ck_has(text, part)                                                     \
	do {                                                                   \
		const char *text_ = (text);                                    \
		ck_assert_msg(strstr(text_, part) != NULL, "%s", text_);       \
	} while (0)
#define LISTEN "[metrics]\nlisten = unix:%s/metrics.sock\n"
#define SCRAPE                                                                 \
	"curl -sS --max-time 10 --unix-socket metrics.sock http://localhost"

static struct world *
begin(bool embedded, bool listens)
{
	struct world *w = world_start(&(const struct world_options){
	    .embedded = embedded, .no_worker = true});

	if (listens)
		world_configure(w, "demo", world_text(w, LISTEN, world_dir(w)));
	return w;
}

static const char *
checked(const char *text)
{
	struct metrics_fault fault;

	ck_assert_msg(metrics_check(text, false, &fault) == 0,
		      "line %zu: %s\n%s", fault.line, fault.why, text);
	return text;
}

static const char *
scrape(struct world *w)
{
	struct run *r = run(w, SCRAPE "/metrics");

	ck_assert_msg(r->status == 0, "%s", r->err);
	return checked(r->out);
}

#define ADD(outcome, n)                                                        \
	"flowrra_tasks_total{queue=\"io\",task=\"add\",outcome=\"" outcome     \
	"\"} " n "\n"

START_TEST(a_worker_serves_what_it_has_done)
{
	struct world *w = begin(_i, true);
	int i;

	worker_start(w, NULL);
	ctl_ok(w, "submit add 1 2 --wait");
	WAIT_UNTIL(strstr(scrape(w), ADD("succeeded", "1")) != NULL);
	ck_has(scrape(w), "flowrra_up{component=\"broker\"} 1\n");
	ck_run(run(w, SCRAPE "/healthz"), 0, "ok\n");
	/* In the middle of reloads, each scrape is whole. */
	for (i = 0; i < 5; i++) {
		worker_signal(worker_of(w), SIGHUP);
		ck_has(scrape(w), ADD("succeeded", "1"));
	}
	WAIT_UNTIL(strstr(scrape(w), "flowrra_worker_reloads_total 0\n") ==
		   NULL);
	world_stop(w);
}
END_TEST

/* The second of a machine, which has the same configuration. */
START_TEST(a_worker_whose_address_is_taken_works)
{
	struct world *w = begin(true, true);
	struct worker *second;

	worker_start(w, NULL);
	second = worker_start(w, "exec flowrrad --config flowrra.conf -o "
				 "worker.id=test:2");
	ck_has(ctl_ok(w, "workers"), "test:2");
	ck_assert(worker_logged(second, "metrics are not served: [metrics] "
					"listen: cannot listen on"));
	world_stop(w);
}
END_TEST

START_TEST(metrics_are_printed_and_replace_a_file)
{
	struct world *w = begin(_i, false);
	const char *text;

	worker_start(w, NULL);
	ctl_ok(w, "submit add 1 2 --wait");
	WAIT_UNTIL(strstr(run(w, "flowrractl -c flowrra.conf metrics")->out,
			  ADD("succeeded", "1")) != NULL);
	text = checked(run(w, "flowrractl -c flowrra.conf metrics")->out);
	ck_has(text, "flowrra_workers{state=\"running\"} 1\n");
	ck_has(text, "flowrra_up{component=\"scheduler_database\"} 1\n");
	world_write(w, "flowrra.prom", "old", 3);
	ck_run(ctl(w, "metrics --output flowrra.prom"), 0, "");
	ck_has(checked(world_read(w, "flowrra.prom")), ADD("succeeded", "1"));
	ck_run(run(w, "stat -c %%a flowrra.prom; ls | grep -c prom"), 0,
	       "644\n1\n");
	/* Nothing is left of an attempt that fails, and the old text stays. */
	ck_complains(ctl(w, "metrics --output nowhere/flowrra.prom"), 71,
		     "cannot write nowhere/flowrra.prom");
	world_stop(w);
}
END_TEST

/* Nobody answers: that is what has to be told. */
START_TEST(a_broker_that_is_away_is_told_and_is_no_failure)
{
	struct world *w = begin(false, false);
	struct run *r;

	redis_server_kill(world_redis(w));
	r = ctl(w, "metrics");
	ck_assert_int_eq(r->status, 0);
	ck_has(checked(r->out), "flowrra_up{component=\"broker\"} 0\n");
	redis_server_restart(world_redis(w));
	world_stop(w);
}
END_TEST

SUITE("metrics")
{
	SUITE_TIMEOUT(120);
	TEST_LOOP(a_worker_serves_what_it_has_done, 0, 2);
	TEST(a_worker_whose_address_is_taken_works);
	TEST_LOOP(metrics_are_printed_and_replace_a_file, 0, 2);
	TEST(a_broker_that_is_away_is_told_and_is_no_failure);
}
