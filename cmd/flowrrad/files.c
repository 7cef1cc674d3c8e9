/* SPDX-License-Identifier: MIT */
/*
 * How many open files a worker needs.
 *
 * A worker that lacks them fails in odd places: a connection is not renewed, an
 * executor not replaced. So it says at the start that it cannot work.
 */
#include "files.h"

#include <inttypes.h>

#include "pool/pool.h"
#include "store/store.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/limits.h"

/* Standard input, output and error; the event loop, with what signals and
 * threads wake it (4); the lock, the spool, the log's sockets (2); and for a
 * moment those of a resolver (4), of a reload that reads files and modules (4),
 * of systemd (1), and five that libraries may have open without telling. */
#define OWN_FILES 24

static uint64_t
files_needed(const struct conf *conf, unsigned int n_queues)
{
	const unsigned int stores = stores_are_one(conf) ? 1 : 2;

	return OWN_FILES + (uint64_t)stores * (STORE_FILES + n_queues) +
	       POOL_FILES;
}

int
files_check(const struct conf *conf, struct err *err)
{
	char **queues = conf_list(conf->worker.queues);
	unsigned int n = 0;
	uint64_t needed;

	if (queues == NULL)
		return err_nomem(err);
	while (queues[n] != NULL)
		n++;
	conf_list_free(queues);
	needed = files_needed(conf, n);
	if (limits_files() >= needed)
		return 0;
	return err_set(err, ERR_CONFIG,
		       "a worker with this configuration needs %" PRIu64
		       " open files at least, and the limit is %" PRIu64
		       "; raise LimitNOFILE= of the unit, or ulimit -n",
		       needed, limits_files());
}
