/* SPDX-License-Identifier: MIT */
/* What a worker tells a monitor: its counts, its state, and how much of it. */
#include "dispatch/worker.h"

#include <inttypes.h>
#include <stdio.h>

#include "metrics/metrics.h"
#include "metrics/text.h"
#include "metrics_grammar.h"
#include "suite.h"

/* Both forms, as they are now; each must be well formed. */
struct scrape {
	struct buf openmetrics, text;
};

static void
scrape_check(struct buf *b, bool openmetrics)
{
	struct metrics_fault fault;

	buf_addc(b, '\0');
	b->len--;
	ck_assert_msg(metrics_check(b->data, openmetrics, &fault) == 0,
		      "line %zu: %s\n%s", fault.line, fault.why, b->data);
}

static void
scrape(struct worker *w, struct scrape *s)
{
	struct metrics_text m = {.openmetrics = &s->openmetrics,
				 .text = &s->text};

	buf_reset(&s->openmetrics);
	buf_reset(&s->text);
	dispatch_write_metrics(w->dispatch, &m);
	metrics_end(&m);
	scrape_check(&s->openmetrics, true);
	scrape_check(&s->text, false);
}

static void
scrape_done(struct scrape *s)
{
	buf_done(&s->openmetrics);
	buf_done(&s->text);
}

#define ck_scraped(w, part)                                                    \
	do {                                                                   \
		struct scrape s_ = {.openmetrics = BUF_INIT};                  \
		scrape(w, &s_);                                                \
		ck_assert_msg(strstr(s_.text.data, part) != NULL, "%s",        \
			      s_.text.data);                                   \
		scrape_done(&s_);                                              \
	} while (0)

#define JOB(outcome, n)                                                        \
	"flowrra_tasks_total{queue=\"io\",task=\"job\",outcome=\"" outcome     \
	"\"} " n "\n"

/* Also what was sent to the backend: that is no reset of a counter. */
START_TEST(what_was_counted_stays_when_it_is_sent)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "job", ",\"max_retries\":0", "started", "failed=oh");
	WAIT_FOR(w, "dead");
	worker_settle(w);
	ck_scraped(w, JOB("succeeded", "1") JOB("failed", "1")
			  JOB("retried", "0"));
	tally_send(w->dispatch->tally);
	FAKE_WAIT(&w->store, w->store.measurings == 1);
	ck_scraped(w, JOB("succeeded", "1") JOB("failed", "1")
			  JOB("retried", "0"));
	STEPS(w, "job", "", "started", "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	worker_settle(w);
	ck_scraped(w, JOB("succeeded", "2"));
	ck_scraped(w, "flowrra_task_duration_seconds_count{task=\"job\"} 3\n");
	ck_scraped(w, "flowrra_task_wait_seconds_count{task=\"job\"} 3\n");
	worker_end(w);
}
END_TEST

/* Its name is a producer's; no module has it. */
START_TEST(a_task_that_is_not_registered_has_no_name)
{
	struct worker *w = worker_begin_with("worker.unknown_after=1");

	worker_claim(w, "made_up", "[]", ",\"unknown\":9,\"unknown_since\":1");
	WAIT_FOR(w, "dead");
	worker_settle(w);
	ck_scraped(w, "flowrra_tasks_total{queue=\"io\",task=\"other\","
		      "outcome=\"failed\"} 1\n");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_tells_its_state)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	FAKE_WAIT(&w->store, worker_job(w)->started_us != 0);
	ck_scraped(w, "flowrra_worker_unsettled 1\n");
	ck_scraped(w, "flowrra_worker_slots{kind=\"io\",state=\"busy\"} 1\n"
		      "flowrra_worker_slots{kind=\"io\",state=\"free\"} 1\n");
	ck_scraped(w, "flowrra_up{component=\"broker\"} 1\n");
	ck_scraped(w, "flowrra_worker_memory_bytes{process=\"alone\"} 0\n");
	ck_scraped(w, "flowrra_spool_bytes 0\n");
	fake_results_reach(&w->store, false);
	ck_scraped(w, "flowrra_up{component=\"backend\"} 0\n");
	worker_end(w);
}
END_TEST

/* Only for those who serve it, and never two questions at a time. */
START_TEST(the_way_to_the_broker_is_measured)
{
	struct worker *w = worker_begin_with("metrics.listen=unix:/nowhere");

	worker_due(w, w->dispatch->heartbeat);
	FAKE_WAIT(&w->store, w->dispatch->meter.rtt_us >= 0);
	ck_scraped(w, "\nflowrra_broker_rtt_seconds ");
	worker_end(w);
	w = worker_begin();
	worker_due(w, w->dispatch->heartbeat);
	worker_settle(w);
	ck_assert_int_eq(w->dispatch->meter.rtt_us, -1);
	worker_end(w);
}
END_TEST

/* Between the old executors and the new ones, and after a failure. */
START_TEST(a_scrape_in_the_middle_of_a_reload_is_whole)
{
	static const char *const modules[] = {"exit=1", NULL};
	const struct pool_modules next = {modules, "{}", NULL, NULL, NULL};
	struct worker *w = worker_begin();
	struct scrape s = {.openmetrics = BUF_INIT};
	struct err err;

	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	worker_settle(w);
	ck_assert(conf_load("/dev/null", NULL, &w->next_conf, &err) == 0);
	ck_assert_int_eq(
	    dispatch_reload(w->dispatch, w->next_conf, &next, &err), 0);
	do {
		scrape(w, &s);
		ck_assert_ptr_nonnull(
		    strstr(s.text.data, JOB("succeeded", "1")));
		event_base_loop(w->base, EVLOOP_ONCE);
	} while (w->reloads == 0);
	dispatch_note_reload(w->dispatch, &w->reload_err);
	ck_scraped(w, "flowrra_worker_reloads_total 1\n");
	ck_scraped(w, "flowrra_worker_reload_failed 1\n");
	ck_scraped(w, JOB("succeeded", "1"));
	scrape_done(&s);
	worker_end(w);
}
END_TEST

/* --- names ------------------------------------------------------------- */

#define NAMES 100000

static bool
begins_with_t(const char *task, void *arg)
{
	return task[0] == 't';
}

static void
on_sent(void *arg)
{
}

/* Whether a total is of another task than the one before. */
static size_t
labels_of(const struct tally_total *totals, size_t n)
{
	size_t i, labels = 0;

	for (i = 0; i < n; i++) {
		labels +=
		    i == 0 || strcmp(totals[i - 1].task, totals[i].task) != 0;
		if (i > 0)
			ck_assert(
			    strcmp(totals[i - 1].task, totals[i].task) != 0 ||
			    strcmp(totals[i - 1].queue, totals[i].queue) < 0);
	}
	return labels;
}

/* Some of them in two queues, or not registered; nothing is lost of them. */
START_TEST(a_hundred_thousand_names_are_two_hundred_labels)
{
	static const char *const queues[] = {"io", "cpu", NULL};
	const struct tally_attempt a = {MEASURE_SUCCEEDED, 5, 7};
	struct worker *w = worker_begin();
	const struct tally_options options = {.base = w->base,
					      .results = w->dispatch->results,
					      .queues = queues,
					      .is_registered = begins_with_t,
					      .on_sent = on_sent};
	struct tally_total *totals;
	struct err err;
	struct tally *t = tally_new(&options, &err);
	int64_t succeeded = 0, ran = 0;
	char name[32];
	size_t i, n;

	ck_assert_ptr_nonnull(t);
	tally_add(t, tally_find(t, 0, SLICE(METRICS_OTHER)), &a);
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%c%zu", i % 10 ? 't' : 'x', i);
		tally_add(t, tally_find(t, 0, slice_of(name)), &a);
		tally_add(t, tally_find(t, i % 5 == 0, slice_of(name)), &a);
		if (i == NAMES / 2)
			tally_send(t);
	}
	worker_settle(w);
	totals = tally_totals(t, &n);
	ck_assert_ptr_nonnull(totals);
	ck_assert_uint_eq(labels_of(totals, n), METRICS_TASKS_MAX + 1);
	for (i = 0; i < n; i++) {
		ck_assert(totals[i].task[0] == 't' ||
			  strcmp(totals[i].task, METRICS_OTHER) == 0);
		succeeded += totals[i].numbers[MEASURE_SUCCEEDED];
		ran += totals[i].run[bucket_of(7)];
	}
	ck_assert_int_eq(succeeded, 2 * NAMES + 1);
	ck_assert_int_eq(ran, 2 * NAMES + 1);
	free(totals);
	tally_free(t);
	worker_end(w);
}
END_TEST

SUITE("dispatch-metrics")
{
	TEST(what_was_counted_stays_when_it_is_sent);
	TEST(a_task_that_is_not_registered_has_no_name);
	TEST(a_worker_tells_its_state);
	TEST(the_way_to_the_broker_is_measured);
	TEST(a_scrape_in_the_middle_of_a_reload_is_whole);
	TEST(a_hundred_thousand_names_are_two_hundred_labels);
}
