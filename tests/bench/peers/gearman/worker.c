/* SPDX-License-Identifier: MIT */
#include <libgearman/gearman.h>

#include "../common/ledger.h"

static gearman_return_t
run(gearman_job_st *job, void *context)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s",
		 (int)gearman_job_workload_size(job),
		 (const char *)gearman_job_workload(job));
	ledger_run(text);
	return GEARMAN_SUCCESS;
}

int
main(void)
{
	gearman_worker_st *worker = gearman_worker_create(NULL);

	if (worker == NULL ||
	    gearman_worker_add_server(worker, "127.0.0.1",
				      (in_port_t)atoi(getenv("BENCH_PORT"))) !=
		GEARMAN_SUCCESS ||
	    gearman_worker_define_function(worker, "task", 4,
					   gearman_function_create(run), 0,
					   NULL) != GEARMAN_SUCCESS)
		errx(1, "cannot make a worker");
	while (gearman_worker_work(worker) == GEARMAN_SUCCESS)
		;
	errx(1, "%s", gearman_worker_error(worker));
}
