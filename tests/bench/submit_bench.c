/* SPDX-License-Identifier: MIT */
/*
 * Submits tasks through libflowrra, one after the other, each after the answer
 * to the one before, and prints how many a second that makes.
 *
 * Usage: submit_bench URL TASK N
 *        submit_bench --bare URL TASK N
 *
 * --bare measures the floor in our place (bare.h): the same commands.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <flowrra/client.h>

#include "bare.h"

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The floor makes its text once: only the ID is new each time. */
static void
patch_ids(char *out, size_t n, const char *before, const char *id)
{
	char *p;

	for (p = out; (p = memmem(p, n - (size_t)(p - out), before,
				  strlen(before))) != NULL;
	     p += strlen(id))
		memcpy(p, id, strlen(id));
}

static double
submit_bare(const char *url, const char *name, long n)
{
	char id[BARE_ID_SIZE], last[BARE_ID_SIZE], key[64], queue[64];
	char record[BARE_TEXT_SIZE], task[BARE_TEXT_SIZE];
	static struct bare b;
	const char *text;
	double start = 0;
	size_t len, size;
	long i;

	bare_open(&b, url);
	bare_id(last, 0);
	snprintf(queue, sizeof(queue), "bare:%.32s", name);
	snprintf(key, sizeof(key), "bare:task:%s", last);
	bare_record(record, sizeof(record), last);
	bare_task(task, sizeof(task), last, "");
	bare_add(&b, "MSET", key, record, NULL);
	bare_add(&b, "LPUSH", queue, task, NULL);
	size = b.n_out;
	for (i = 0; i < n; i++) {
		bare_id(id, i);
		patch_ids(b.out, size, last, id);
		memcpy(last, id, sizeof(last));
		b.n_out = size;
		bare_send(&b);
		bare_reply(&b, &text, &len);
		bare_reply(&b, &text, &len);
		if (i == 0)
			start = now_s();
	}
	start = now_s() - start;
	/* Nobody runs them. */
	bare_add(&b, "DEL", queue, NULL);
	bare_send(&b);
	bare_reply(&b, &text, &len);
	return (double)(n - 1) / start;
}

static double
submit_ours(const char *url, const char *name, long n)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;
	double start = 0;
	long i;

	options.broker_url = url;
	request.name = name;
	if (flowrra_open(&options, &client, &error) != 0)
		errx(1, "%s", error.message);
	for (i = 0; i < n; i++) {
		if (flowrra_submit(client, &request, NULL, &error) != 0)
			errx(1, "%s", error.message);
		/* The first one made the connection and asked the registry. */
		if (i == 0)
			start = now_s();
	}
	start = now_s() - start;
	flowrra_close(client);
	return (double)(n - 1) / start;
}

int
main(int argc, char **argv)
{
	const bool bare = argc == 5 && strcmp(argv[1], "--bare") == 0;
	long n;

	argv += bare;
	if (argc - bare != 4 || (n = strtol(argv[3], NULL, 10)) < 2)
		errx(64, "usage: submit_bench [--bare] URL TASK N");
	printf("%.1f\n", bare ? submit_bare(argv[1], argv[2], n)
			      : submit_ours(argv[1], argv[2], n));
	return 0;
}
