/* SPDX-License-Identifier: MIT */
/* What load.py says, for C. */
#ifndef PEERS_LOAD_H
#define PEERS_LOAD_H

#include <pthread.h>
#include <string.h>

#include "ledger.h"

#define LOAD_THREADS 8
#define LOAD_WARM_UP 40

struct load {
	void *(*connect)(void); /* a connection, for one thread */
	void (*submit)(void *connection);
	void (*submit_many)(void *connection, long n);
	/* Submits `stamp`, whose text is when it was begun, and waits for its
	 * result if there are any. */
	void (*call)(void *connection, const char *text);
	long rate, n;
	int64_t begin_ns;
	long *out; /* µs of each tick */
};

struct load_turn {
	struct load *load;
	long index;
	pthread_t thread;
};

static inline void *
load_take_turns(void *arg)
{
	struct load_turn *turn = arg;
	struct load *l = turn->load;
	void *connection = l->connect();
	char text[24];
	long i;

	for (i = turn->index - LOAD_WARM_UP; i < l->n; i += LOAD_THREADS) {
		const int64_t at = l->begin_ns + i * 1000000000 / l->rate;
		const struct timespec t = {at / 1000000000, at % 1000000000};
		int64_t begun_us;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		begun_us = now_ns() / 1000;
		snprintf(text, sizeof(text), "%lld",
			 i < 0 ? 0LL : (long long)begun_us);
		l->call(connection, text);
		if (i >= 0)
			l->out[i] = (long)(now_ns() / 1000 - begun_us);
	}
	return NULL;
}

static inline void
load_latency(struct load *l)
{
	struct load_turn turns[LOAD_THREADS];
	long i;

	if ((l->out = calloc((size_t)l->n, sizeof(*l->out))) == NULL)
		err(71, NULL);
	l->begin_ns =
	    now_ns() + 100000000 + LOAD_WARM_UP * 1000000000LL / l->rate;
	for (i = 0; i < LOAD_THREADS; i++) {
		turns[i] = (struct load_turn){.load = l, .index = i};
		if (pthread_create(&turns[i].thread, NULL, load_take_turns,
				   &turns[i]) != 0)
			errx(71, "cannot start a thread");
	}
	for (i = 0; i < LOAD_THREADS; i++)
		pthread_join(turns[i].thread, NULL);
	for (i = 0; i < l->n; i++)
		printf("%ld\n", l->out[i]);
}

static inline int
load_main(struct load *l, char **argv)
{
	const long n = argv[1] && argv[2] ? atol(argv[2]) : 0;
	int64_t begin_ns;
	void *connection;
	long i;

	if (n <= 0)
		errx(64, "usage: single N | bulk N | latency RATE SECONDS");
	if (strcmp(argv[1], "latency") == 0) {
		l->rate = n;
		l->n = n * atol(argv[3]);
		load_latency(l);
		return 0;
	}
	connection = l->connect();
	begin_ns = now_ns();
	if (strcmp(argv[1], "bulk") == 0)
		l->submit_many(connection, n);
	else
		for (i = 0; i < n; i++)
			l->submit(connection);
	printf("%g\n", (double)n * 1e9 / (double)(now_ns() - begin_ns));
	return 0;
}

#endif
