/* SPDX-License-Identifier: MIT */
/* What executors tell of their jobs, brought to the pool's user. */
#ifndef POOL_REPORT_H
#define POOL_REPORT_H

#include "util/buf.h"

struct executor;
struct ipc_message;
struct pool;

/* A message about a job. One that an executor may not send kills it; one for a
 * job that it does not have (any more) is dropped. */
void report_message(struct pool *p, struct executor *e,
		    const struct ipc_message *m);
void report_line(struct pool *p, struct executor *e, struct slice line);

#endif
