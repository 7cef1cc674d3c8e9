/* SPDX-License-Identifier: MIT */
#include <libgearman/gearman.h>

#include "../common/load.h"

#define GROUP 1000

static void *
connect_client(void)
{
	gearman_client_st *client = gearman_client_create(NULL);

	if (client == NULL ||
	    gearman_client_add_server(client, "127.0.0.1",
				      (in_port_t)atoi(getenv("BENCH_PORT"))) !=
		GEARMAN_SUCCESS)
		errx(1, "cannot make a client");
	return client;
}

static void
submit(void *client)
{
	gearman_job_handle_t handle;

	if (gearman_client_do_background(client, "task", NULL, "-", 1,
					 handle) != GEARMAN_SUCCESS)
		errx(1, "%s", gearman_client_error(client));
}

static void
submit_many(void *client, long n)
{
	gearman_return_t r = GEARMAN_SUCCESS;
	long i;

	for (i = 0; i < n; i++) {
		gearman_client_add_task_background(client, NULL, NULL, "task",
						   NULL, "-", 1, &r);
		if (r != GEARMAN_SUCCESS)
			errx(1, "%s", gearman_client_error(client));
		if (i % GROUP != GROUP - 1 && i != n - 1)
			continue;
		if (gearman_client_run_tasks(client) != GEARMAN_SUCCESS)
			errx(1, "%s", gearman_client_error(client));
		gearman_client_task_free_all(client);
	}
}

static void
call(void *client, const char *text)
{
	gearman_return_t r;
	size_t size;

	free(gearman_client_do(client, "task", NULL, text, strlen(text), &size,
			       &r));
	if (r != GEARMAN_SUCCESS)
		errx(1, "%s", gearman_client_error(client));
}

int
main(int argc, char **argv)
{
	struct load load = {.connect = connect_client,
			    .submit = submit,
			    .submit_many = submit_many,
			    .call = call};

	return load_main(&load, argv);
}
