/* SPDX-License-Identifier: MIT */
/* /metrics: the form, and what is in it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "manager/flows.h"
#include "metrics/metrics.h"
#include "metrics/text.h"
#include "metrics_grammar.h"
#include "store/results.h"
#include "suite.h"
#include "util/clock.h"
#include "web/desk.h"
#include "web/figures.h"

static const char *
text_of(struct buf *b)
{
	buf_addc(b, '\0');
	b->len--;
	return b->data;
}

#define ck_form(b, openmetrics)                                                \
	do {                                                                   \
		struct metrics_fault fault_;                                   \
		ck_assert_msg(                                                 \
		    metrics_check(text_of(b), openmetrics, &fault_) == 0,      \
		    "line %zu: %s\n%s", fault_.line, fault_.why, text_of(b));  \
	} while (0)
#define ck_has(b, part)                                                        \
	ck_assert_msg(strstr(text_of(b), part) != NULL, "%s", text_of(b))

/* --- the form ------------------------------------------------------------ */

/* A reader that takes everything would find nothing. */
static const struct {
	const char *text;
	const char *why; /* NULL: it is well formed */
} forms[] = {
    {"# EOF\n", NULL},
    {"# TYPE a gauge\n# HELP a Text.\na 1\na{b=\"c\"} -1.5e3\n# EOF\n", NULL},
    {"# TYPE a counter\na_total 1\n# EOF\n", NULL},
    {"# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n",
     NULL},
    {"", "no # EOF"},
    {"# EOF\n\n", "# EOF is not the end"},
    {"# EOF", "the last line has no end"},
    {"a 1\n# EOF\n", "a is not of "},
    {"# TYPE a counter\na 1\n# EOF\n", "\"\" of a counter"},
    {"# TYPE a_total counter\n# EOF\n", "a counter's family ends in _total"},
    {"# TYPE a gauge\na 1\na 2\n# EOF\n", "a comes twice"},
    {"# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",
     "a is begun twice"},
    {"# TYPE a gauge\na{b=\"\n\"} 1\n# EOF\n", "a value without its end"},
    {"# TYPE a gauge\na{b=\"\\x\"} 1\n# EOF\n", "an unknown escape"},
    {"# TYPE a gauge\na{0=\"x\"} 1\n# EOF\n", "no label's name at: 0=\"x\"} 1"},
    {"# TYPE a gauge\na nan\n# EOF\n", "no number: a nan"},
    {"# TYPE a gauge\na  1\n# EOF\n", "no number: a  1"},
    {"# TYPE a_s gauge\n# UNIT a_s seconds\n# EOF\n",
     "a_s does not end in _seconds"},
    {"# TYPE h histogram\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 1\n"
     "# EOF\n",
     "buckets do not rise"},
    {"# TYPE h histogram\nh_bucket{le=\"1\"} 2\n# EOF\n",
     "the bound 1 is not written as a float"},
    {"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_count 3\n# EOF\n",
     "the count is not that of +Inf"},
    {"# TYPE h histogram\nh_count 3\n# EOF\n", "_count without its buckets"},
};

START_TEST(the_reader_of_the_tests_is_strict)
{
	struct metrics_fault fault;
	const int result = metrics_check(forms[_i].text, true, &fault);

	if (forms[_i].why == NULL) {
		ck_assert_msg(result == 0, "%s", fault.why);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_str_eq(fault.why, forms[_i].why);
	}
}
END_TEST

/* Labels of any text, numbers of any size, histograms with and without. */
START_TEST(whatever_is_written_is_well_formed)
{
	struct buf om = BUF_INIT, text = BUF_INIT;
	struct metrics_text m = {.openmetrics = &om, .text = &text};
	int64_t counts[BUCKETS] = {0};

	metrics_family(&m, METRICS_GAUGE, "g_seconds", "seconds", "Help.");
	metrics_sample(&m, METRICS_NO_LABELS, 0.1);
	metrics_sample(&m, METRICS_LABELS({"a", "x\"y\\z\nw{},="}), 1e300);
	metrics_sample(&m, METRICS_LABELS({"a", ""}, {"b", "\xc3\xa4"}), -3);
	metrics_sample(&m, METRICS_LABELS({"a", "n"}), NAN);
	metrics_sample(&m, METRICS_LABELS({"a", "i"}), INFINITY);
	metrics_family(&m, METRICS_COUNTER, "c", NULL, "Help.");
	metrics_sample(&m, METRICS_NO_LABELS, 9007199254740993.0);
	metrics_family(&m, METRICS_HISTOGRAM, "h_seconds", "seconds", "Help.");
	metrics_histogram(&m, METRICS_LABELS({"t", "none"}), counts, 0);
	counts[0] = 3;
	counts[7] = 5;
	counts[BUCKETS - 1] = 1;
	metrics_histogram(&m, METRICS_LABELS({"t", "some"}), counts, 1.25);
	metrics_histogram(&m, METRICS_NO_LABELS, counts, 1.25);
	metrics_end(&m);
	ck_form(&om, true);
	ck_form(&text, false);
	ck_has(&om, "g_seconds 0.1\n");
	ck_has(&om, "g_seconds{a=\"x\\\"y\\\\z\\nw{},=\"} 1e+300\n");
	ck_has(&om, "c_total 9007199254740992\n");
	ck_has(&text, "# TYPE c_total counter\n");
	ck_has(&om, "h_seconds_bucket{t=\"some\",le=\"0.001\"} 3\n");
	ck_has(&om, "h_seconds_bucket{t=\"some\",le=\"0.002\"} 8\n");
	ck_has(&om, "h_seconds_bucket{t=\"some\",le=\"1.0\"} 8\n");
	ck_has(&om, "h_seconds_bucket{t=\"some\",le=\"+Inf\"} 9\n");
	ck_has(&om, "h_seconds_sum{t=\"some\"} 1.25\n");
	ck_assert_ptr_null(strstr(text_of(&om), "nan"));
	buf_done(&om);
	buf_done(&text);
}
END_TEST

/* --- the route ------------------------------------------------------------ */

static void
on_added(const struct err *err, void *arg)
{
	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	query_end(arg, NULL);
}

static struct {
	const struct measure *measures;
	size_t n;
} adding;

static void
send_measures(struct query *q)
{
	results_measure(q->client->results, clock_wall_us() / 1000000,
			adding.measures, adding.n, on_added, q);
}

/* As workers do. */
static void
add(struct desk *d, const struct measure *measures, size_t n)
{
	struct query q = {.client = d->client,
			  .send = send_measures,
			  .of_results = true,
			  .once = true};
	struct err err;

	adding.measures = measures;
	adding.n = n;
	ck_assert_msg(query_run(&q, &err) == 0, "%s", err.msg);
}

static void
get(struct desk *d, const char *accept, bool openmetrics)
{
	if (accept != NULL)
		desk_header(d, "Accept", accept);
	ck_assert_uint_eq(desk_ask(d, "GET", "/metrics", NULL), 200);
	ck_form(&d->bytes, openmetrics);
}

START_TEST(the_metrics_have_what_the_stores_know)
{
	const struct measure measures[] = {
	    {SLICE("io"), SLICE("add"), MEASURE_SUCCEEDED, 7},
	    {SLICE("cpu"), SLICE("add"), MEASURE_RETRIED, 2},
	    {SLICE("io"), SLICE("add"), MEASURE_RUN + 7, 7},
	    {SLICE("cpu"), SLICE("add"), MEASURE_RUN + 7, 2},
	    {SLICE("io"), SLICE("add"), MEASURE_RUN_US, 1500000},
	    {SLICE("io"), SLICE("z"), MEASURE_FAILED, 1},
	    {SLICE("io"), SLICE("other"), MEASURE_DEAD_BEYOND, 5}};
	struct desk *d = desk_open(_i);

	free(desk_submit(d, "add", "[1]", "io"));
	add(d, measures, 7);
	get(d, NULL, true);
	ck_has(&d->bytes, "flowrra_dead_deleted_total{queue=\"io\",limit="
			  "\"dead_max\"} 5\n");
	ck_has(&d->bytes, "flowrra_dead_deleted_total{queue=\"io\",limit="
			  "\"dead_ttl\"} 0\n");
	ck_has(&d->bytes, "flowrra_up{component=\"broker\"} 1\n");
	ck_has(&d->bytes,
	       "flowrra_queue_tasks{queue=\"io\",state=\"waiting\"} 1\n");
	ck_has(&d->bytes, "flowrra_queue_paused{queue=\"io\"} 0\n");
	ck_has(&d->bytes, "flowrra_tasks_total{queue=\"io\",task=\"add\","
			  "outcome=\"succeeded\"} 7\n");
	ck_has(&d->bytes, "flowrra_tasks_total{queue=\"cpu\",task=\"add\","
			  "outcome=\"retried\"} 2\n");
	ck_has(&d->bytes, "flowrra_task_duration_seconds_count{task=\"add\"} "
			  "9\n");
	ck_has(&d->bytes, "flowrra_task_duration_seconds_sum{task=\"add\"} "
			  "1.5\n");
	ck_has(&d->bytes, "flowrra_workers{state=\"running\"} 0\n");
	ck_has(&d->bytes, "flowrra_web_streams 0\n");
	ck_assert_uint_eq(d->bytes.data[d->bytes.len - 1], '\n');
	desk_close(d);
}
END_TEST

/* A look is at those that were begun last, however many there are. */
START_TEST(the_metrics_have_the_workflows_that_were_begun_last)
{
	const struct flows_begin begin = {.id = NULL};
	struct desk *d = desk_open((enum desk_store)_i);
	char id[TASK_FLOW_MAX + 1];
	struct err err;
	size_t i;

	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workflows?id=W",
		     "[{\"id\":\"a\",\"name\":\"t\",\"queue\":\"io\","
		     "\"force\":true},{\"id\":\"b\",\"name\":\"t\","
		     "\"queue\":\"io\",\"force\":true,\"after\":[\"a\"]}]"),
	    201);
	ck_assert_int_eq(flows_begin(d->client, &begin, id, &err), 0);
	get(d, NULL, true);
	ck_has(&d->bytes, "flowrra_workflows{state=\"running\"} 1\n");
	ck_has(&d->bytes, "flowrra_workflows{state=\"open\"} 1\n");
	ck_has(&d->bytes, "flowrra_workflows{state=\"failed\"} 0\n");
	ck_has(&d->bytes, "flowrra_workflow_steps{state=\"waiting\"} 1\n");
	ck_has(&d->bytes, "flowrra_workflow_steps{state=\"released\"} 1\n");
	ck_has(&d->bytes, "flowrra_workflow_longest_seconds 0\n");
	ck_assert_ptr_null(
	    strstr(text_of(&d->bytes), "flowrra_workflow_oldest_seconds 0\n"));
	for (i = 0; i < METRICS_FLOWS_MAX; i++)
		ck_assert_int_eq(flows_begin(d->client, &begin, id, &err), 0);
	figures_metrics(d->shared.figures)->made_ms -= METRICS_LIFE_MS;
	get(d, NULL, true);
	ck_has(&d->bytes, "flowrra_workflows{state=\"open\"} 500\n");
	ck_has(&d->bytes, "flowrra_workflows{state=\"running\"} 0\n");
	ck_has(&d->bytes, "flowrra_workflow_steps{state=\"waiting\"} 0\n");
	desk_close(d);
}
END_TEST

START_TEST(who_takes_only_plain_text_gets_the_older_format)
{
	struct desk *d = desk_open(DESK_SQLITE);

	get(d, "text/plain", false);
	ck_assert_ptr_null(strstr(text_of(&d->bytes), "# EOF"));
	get(d, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
	    true);
	get(d, "*/*", true);
	desk_close(d);
}
END_TEST

START_TEST(a_second_look_within_five_seconds_costs_nothing)
{
	struct desk *d = desk_open(DESK_SQLITE);

	get(d, NULL, true);
	free(desk_submit(d, "add", "[1]", "io"));
	get(d, NULL, true);
	ck_assert_ptr_null(strstr(text_of(&d->bytes), "queue=\"io\""
						      ",state=\"waiting\"} 1"));
	/* As if five seconds had passed. */
	figures_metrics(d->shared.figures)->made_ms -= METRICS_LIFE_MS;
	get(d, NULL, true);
	ck_has(&d->bytes, "queue=\"io\",state=\"waiting\"} 1\n");
	desk_close(d);
}
END_TEST

START_TEST(more_tasks_than_the_limit_are_one_series)
{
	static char names[600][16];
	static struct measure measures[600];
	struct desk *d = desk_open(DESK_SQLITE);
	const char *p;
	size_t i, n = 0;

	free(desk_submit(d, "add", "[1]", "io"));
	for (i = 0; i < 600; i++) {
		snprintf(names[i], sizeof(names[i]), "t%03zu", i);
		measures[i] = (struct measure){SLICE("io"), slice_of(names[i]),
					       MEASURE_SUCCEEDED, 2};
	}
	add(d, measures, 600);
	get(d, NULL, true);
	for (p = text_of(&d->bytes);
	     (p = strstr(p, "outcome=\"succeeded\"")) != NULL; p++)
		n++;
	ck_assert_uint_eq(n, METRICS_TASKS_MAX + 1);
	ck_has(&d->bytes, "task=\"other\",outcome=\"succeeded\"} 800\n");
	desk_close(d);
}
END_TEST

START_TEST(a_broker_that_is_away_is_told_of)
{
	static const char *const quick[] = {"broker.socket_timeout=0.2",
					    "backend.socket_timeout=0.2", NULL};
	struct desk *d = desk_open_with(DESK_REDIS, quick);

	redis_server_kill(d->redis);
	get(d, NULL, true);
	ck_has(&d->bytes, "flowrra_up{component=\"broker\"} 0\n");
	ck_assert_ptr_null(strstr(text_of(&d->bytes), "flowrra_queue_tasks"));
	redis_server_restart(d->redis);
	desk_close(d);
}
END_TEST

START_TEST(requests_are_counted_by_route_and_status)
{
	struct desk *d = desk_open(DESK_SQLITE);

	figures_count(d->shared.figures, web_routes[0], 200);
	figures_count(d->shared.figures, web_routes[0], 200);
	figures_count(d->shared.figures, web_routes[0], 404);
	figures_count(d->shared.figures, NULL, 404);
	figures_streams(d->shared.figures, 3);
	get(d, NULL, true);
	ck_has(&d->bytes, "\",code=\"200\"} 2\n");
	ck_has(&d->bytes, "\",code=\"404\"} 1\n");
	ck_has(&d->bytes, "route=\"page\",code=\"404\"} 1\n");
	ck_has(&d->bytes, "flowrra_web_streams 3\n");
	desk_close(d);
}
END_TEST

/* Where promtool is installed (package prometheus), it has the last word. */
START_TEST(promtool_finds_no_fault)
{
	struct desk *d = desk_open(DESK_SQLITE);
	FILE *promtool;

	if (system("command -v promtool > /dev/null 2>&1") != 0) {
		desk_close(d);
		return;
	}
	get(d, "text/plain", false);
	promtool = popen("promtool check metrics >&2", "w");
	ck_assert_ptr_nonnull(promtool);
	fwrite(d->bytes.data, 1, d->bytes.len, promtool);
	ck_assert_int_eq(pclose(promtool), 0);
	desk_close(d);
}
END_TEST

SUITE("web-metrics")
{
	SUITE_TIMEOUT(240);
	TEST_LOOP(the_reader_of_the_tests_is_strict, 0,
		  sizeof(forms) / sizeof(forms[0]));
	TEST(whatever_is_written_is_well_formed);
	TEST_LOOP(the_metrics_have_what_the_stores_know, 0, DESK_N_STORES);
	TEST_BOTH(the_metrics_have_the_workflows_that_were_begun_last);
	TEST(who_takes_only_plain_text_gets_the_older_format);
	TEST(a_second_look_within_five_seconds_costs_nothing);
	TEST(more_tasks_than_the_limit_are_one_series);
	TEST(a_broker_that_is_away_is_told_of);
	TEST(requests_are_counted_by_route_and_status);
	TEST(promtool_finds_no_fault);
}
