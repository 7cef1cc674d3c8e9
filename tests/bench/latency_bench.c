/* SPDX-License-Identifier: MIT */
/*
 * Submits the task `stamp` at a steady rate and prints, in one line, the
 * percentiles 50, 95 and 99, in ms, of the time from before the submission to
 * the start of the handler, and to the result being seen; then how many
 * submissions began late.
 *
 * The ticks go round a few threads, each with a client of its own: the one whose
 * turn it is sleeps until its tick, notes the clock, submits, and waits for the
 * result. So nothing is handed from thread to thread between the clock's first
 * reading and its last, which would cost as much as what is measured, and a
 * slow task does not hold up the next ticks: with T threads, it would have to
 * take T ticks. Then that thread's next tick is late, and counted as such. That
 * the sleep itself ends late does not matter: the clock is read after it. The
 * handler reads the same wall clock.
 *
 * Usage: latency_bench URL RATE SECONDS [QUEUE PRIORITY BYTES]
 *        latency_bench --bare URL RATE SECONDS
 *
 * BYTES is the size of the argument that each task carries. --bare measures the
 * floor in our place (bare.h): the same commands between as many processes.
 */
#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <flowrra/client.h>

#include "bare.h"

#define THREADS 2
#define WARM_UP 5 /* ticks of each thread that are not counted */
#define LATE_NS 2000000

struct sample {
	double start_ms, result_ms;
};

static struct {
	const char *url;
	bool bare;
	long rate, n; /* ticks a second, and in all */
	struct flowrra_request request;
	int64_t begin_ns;
	struct sample *samples; /* [n] */
} plan;

struct turn {
	pthread_t thread;
	long index;
	long late;
};

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
sleep_until(int64_t ns)
{
	const struct timespec t = {.tv_sec = ns / 1000000000,
				   .tv_nsec = ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static struct sample
measure(struct flowrra_client *client)
{
	int64_t before_us, after_us, start_us;
	struct flowrra_record *record;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];

	before_us = clock_ns(CLOCK_REALTIME) / 1000;
	if (flowrra_call(client, &plan.request, 30, id, &record, &error) != 0)
		errx(1, "%s", error.message);
	after_us = clock_ns(CLOCK_REALTIME) / 1000;
	if (record->state != FLOWRRA_SUCCESS)
		errx(1, "task %s: %s", id, record->error);
	start_us = strtoll(record->result, NULL, 10);
	flowrra_record_free(record);
	return (struct sample){(double)(start_us - before_us) / 1000,
			       (double)(after_us - before_us) / 1000};
}

static struct sample
measure_bare(struct bare_client *client, long n)
{
	int64_t before_us, after_us, start_us;

	before_us = clock_ns(CLOCK_REALTIME) / 1000;
	start_us = bare_call(client, n);
	after_us = clock_ns(CLOCK_REALTIME) / 1000;
	return (struct sample){(double)(start_us - before_us) / 1000,
			       (double)(after_us - before_us) / 1000};
}

/* What takes turns: one of the two clients. */
struct contender {
	struct flowrra_client *ours;
	struct bare_client bare;
};

static void
contender_open(struct contender *c, long number)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	options.broker_url = plan.url;
	if (plan.bare)
		bare_client_open(&c->bare, plan.url, number);
	else if (flowrra_open(&options, &c->ours, &error) != 0)
		errx(1, "%s", error.message);
}

static void *
take_turns(void *arg)
{
	struct contender *c = calloc(1, sizeof(*c));
	struct turn *turn = arg;
	struct sample sample;
	int64_t tick_ns;
	long i;

	if (c == NULL)
		errx(71, "out of memory");
	contender_open(c, turn->index);
	for (i = turn->index - WARM_UP * THREADS; i < plan.n; i += THREADS) {
		tick_ns = plan.begin_ns + i * 1000000000 / plan.rate;
		if (i >= 0 && clock_ns(CLOCK_MONOTONIC) > tick_ns + LATE_NS)
			turn->late++;
		sleep_until(tick_ns);
		sample =
		    plan.bare ? measure_bare(&c->bare, i) : measure(c->ours);
		if (i >= 0)
			plan.samples[i] = sample;
	}
	flowrra_close(c->ours);
	free(c);
	return NULL;
}

static int
by_start(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->start_ms > y->start_ms) - (x->start_ms < y->start_ms);
}

static int
by_result(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->result_ms > y->result_ms) - (x->result_ms < y->result_ms);
}

static void
print_percentiles(void)
{
	static const long percents[] = {50, 95, 99};
	size_t i;

	qsort(plan.samples, (size_t)plan.n, sizeof(struct sample), by_start);
	for (i = 0; i < 3; i++)
		printf("%.3f ",
		       plan.samples[(plan.n - 1) * percents[i] / 100].start_ms);
	qsort(plan.samples, (size_t)plan.n, sizeof(struct sample), by_result);
	for (i = 0; i < 3; i++)
		printf(
		    "%.3f ",
		    plan.samples[(plan.n - 1) * percents[i] / 100].result_ms);
}

static void
make_request(int argc, char **argv)
{
	const struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	long bytes = argc == 7 ? strtol(argv[6], NULL, 10) : 0;
	char *args;

	plan.request = request;
	plan.request.name = "stamp";
	if (argc != 7)
		return;
	if (bytes < 0 || asprintf(&args, "[\"%0*d\"]", (int)bytes, 0) < 0)
		errx(64, "%s: no size", argv[6]);
	plan.request.args = args;
	plan.request.queue = argv[4];
	plan.request.priority = (int)strtol(argv[5], NULL, 10);
}

static void
take_arguments(int argc, char **argv)
{
	long seconds;

	if (argc == 5 && strcmp(argv[1], "--bare") == 0) {
		plan.bare = true;
		argv++;
		argc--;
	}
	if ((argc != 4 && argc != 7) ||
	    (plan.rate = strtol(argv[2], NULL, 10)) < 1 ||
	    (seconds = strtol(argv[3], NULL, 10)) < 1)
		errx(64, "usage: latency_bench [--bare] URL RATE SECONDS "
			 "[QUEUE PRIORITY BYTES]");
	make_request(argc, argv);
	plan.url = argv[1];
	plan.n = plan.rate * seconds;
}

int
main(int argc, char **argv)
{
	struct turn turns[THREADS] = {0};
	long late = 0, i;

	take_arguments(argc, argv);
	plan.samples = calloc((size_t)plan.n, sizeof(struct sample));
	if (plan.samples == NULL)
		errx(71, "out of memory");
	if (plan.bare)
		bare_chain_start(plan.url);
	plan.begin_ns = clock_ns(CLOCK_MONOTONIC) + 100000000 +
			(int64_t)(WARM_UP * THREADS) * 1000000000 / plan.rate;
	for (i = 0; i < THREADS; i++) {
		turns[i].index = i;
		if (pthread_create(&turns[i].thread, NULL, take_turns,
				   &turns[i]) != 0)
			errx(71, "cannot start a thread");
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(turns[i].thread, NULL);
		late += turns[i].late;
	}
	print_percentiles();
	printf("%ld\n", late);
	free(plan.samples);
	return 0;
}
