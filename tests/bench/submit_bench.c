/* SPDX-License-Identifier: MIT */
/*
 * Submits tasks through libflowrra, one after the other, each after the answer
 * to the one before, and prints how many a second that makes.
 *
 * Usage: submit_bench URL TASK N
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <flowrra/client.h>

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;
	double start = 0;
	long n, i;

	if (argc != 4 || (n = strtol(argv[3], NULL, 10)) < 1)
		errx(64, "usage: submit_bench URL TASK N");
	options.broker_url = argv[1];
	request.name = argv[2];
	if (flowrra_open(&options, &client, &error) != 0)
		errx(1, "%s", error.message);
	for (i = 0; i < n; i++) {
		if (flowrra_submit(client, &request, NULL, &error) != 0)
			errx(1, "%s", error.message);
		/* The first one made the connection and asked the registry. */
		if (i == 0)
			start = now_s();
	}
	printf("%.1f\n", (double)(n - 1) / (now_s() - start));
	flowrra_close(client);
	return 0;
}
