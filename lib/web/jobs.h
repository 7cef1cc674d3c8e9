/* SPDX-License-Identifier: MIT */
/*
 * Jobs: operations on many tasks that outlive the request that began them, each
 * on a thread of its own. web.h has how routes begin one. Thread-safe.
 */
#ifndef WEB_JOBS_H
#define WEB_JOBS_H

#include <jansson.h>
#include <stddef.h>

struct err;
struct web_audit;
struct web_jobs;

/* At the same time; and how many that have ended can still be asked for. */
#define JOBS_RUNNING_MAX 8
#define JOBS_KEPT 100

struct web_jobs *jobs_new(struct web_audit *audit, struct err *err);
/* Tells all to stop, and waits for them. */
void jobs_free(struct web_jobs *jobs);

/* {"job", "action", "user", "state", "done", "result", "error"}; NULL with *err:
 * ERR_NOT_FOUND. */
json_t *jobs_get(struct web_jobs *jobs, const char *id, struct err *err);
/* Asks it to stop, and answers the same. ERR_REFUSED: it has ended. */
json_t *jobs_stop(struct web_jobs *jobs, const char *id, struct err *err);

#endif
