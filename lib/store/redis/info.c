/* SPDX-License-Identifier: MIT */
/*
 * What may be wrong with a Redis server: many of its usual settings suit a
 * cache and lose tasks. An operator asks for all checks, and a worker makes
 * those of eviction and persistence before it takes a task.
 *
 * Each check is a function of the server's answers alone, so that tests need no
 * server that is wrong. A field that the server does not tell (an older
 * version, a service that hides it) is never a finding.
 */
#include "store/redis/info.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process that forks stands still meanwhile, and so do all tasks: half a
 * second shows to those who wait for results. */
#define FORK_MAX_US 500000
/* Times of tasks come from both clocks. NTP keeps them within milliseconds; two
 * seconds show in delays and in lists. */
#define AHEAD_MAX_US 2000000
/* Of memory, and of clients: time is left to do something. */
#define NEARLY_FULL 0.8

/* INFO is lines "name:value" with headings between them. */
struct slice
redis_info_text(struct slice info, const char *name)
{
	const char *p = info.p, *end, *line_end;
	const size_t len = strlen(name);
	size_t line;

	if (info.len == 0)
		return (struct slice){NULL, 0};
	for (end = p + info.len; p < end; p = line_end + 1) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		if (line_end == NULL)
			break;
		line = (size_t)(line_end - p);
		if (line > 0 && p[line - 1] == '\r')
			line--;
		if (line > len && memcmp(p, name, len) == 0 && p[len] == ':')
			return (struct slice){p + len + 1, line - len - 1};
	}
	return (struct slice){NULL, 0};
}

/*
 * 0 for a field that is missing. "7.2.4" gives 7: the number ends at the point.
 */
int64_t
redis_info_number(struct slice info, const char *name)
{
	const struct slice text = redis_info_text(info, name);
	char digits[32];

	snprintf(digits, sizeof(digits), "%.*s", (int)text.len,
		 text.p != NULL ? text.p : "");
	return strtoll(digits, NULL, 10);
}

static bool
is(const struct redis_info *i, const char *name, const char *value)
{
	return slice_eq(redis_info_text(i->info, name), slice_of(value));
}

/* --- checks ------------------------------------------------------------ */

static bool
rinfo_check_version(const struct redis_info *i, struct redis_finding *ret)
{
	const struct slice text = redis_info_text(i->info, "redis_version");
	const char *dot = text.p != NULL ? memchr(text.p, '.', text.len) : NULL;
	const int64_t major = redis_info_number(i->info, "redis_version");

	/* LMOVE came with 6.2; scripts that may run while memory is full, with
	 * 7.0 (flags=allow-oom). */
	if (dot == NULL || major >= 7)
		return false;
	ret->error = major < 6 || (major == 6 && dot[1] < '2');
	snprintf(
	    ret->what, sizeof(ret->what), "is of version %.*s%s", (int)text.len,
	    text.p,
	    ret->error
		? ", which cannot move a task and record the move in one step"
		: ": once it is full, tasks cannot be claimed");
	ret->remedy = "install Redis 7.0 or newer";
	return true;
}

static bool
check_role(const struct redis_info *i, struct redis_finding *ret)
{
	if (!is(i, "role", "slave"))
		return false;
	ret->error = true;
	snprintf(ret->what, sizeof(ret->what),
		 "is a replica, which accepts no tasks");
	ret->remedy = "set [broker] url to its master";
	return true;
}

bool
redis_check_eviction(const struct redis_info *i, struct redis_finding *ret)
{
	const struct slice policy =
	    redis_info_text(i->info, "maxmemory_policy");

	/* Without a limit nothing is ever evicted, whatever the policy. */
	if (policy.p == NULL || is(i, "maxmemory_policy", "noeviction") ||
	    is(i, "maxmemory", "0"))
		return false;
	ret->error = true;
	snprintf(ret->what, sizeof(ret->what),
		 "evicts keys when it is full (maxmemory-policy %.*s) and "
		 "would lose tasks",
		 (int)policy.len, policy.p);
	ret->remedy = "set maxmemory-policy noeviction";
	return true;
}

/* What has happened is reported even if the policy is right by now. */
static bool
check_evicted(const struct redis_info *i, struct redis_finding *ret)
{
	const int64_t n = redis_info_number(i->info, "evicted_keys");

	if (n <= 0)
		return false;
	ret->error = true;
	snprintf(ret->what, sizeof(ret->what),
		 "has evicted %" PRId64 " keys since it was started: tasks and "
		 "results may be among them",
		 n);
	ret->remedy =
	    "set maxmemory-policy noeviction and look for missing tasks";
	return true;
}

/* Without a limit of its own the server has that of the machine, where the
 * kernel ends it. */
static bool
check_memory(const struct redis_info *i, struct redis_finding *ret)
{
	const int64_t used = redis_info_number(i->info, "used_memory");
	const int64_t set = redis_info_number(i->info, "maxmemory");
	const int64_t all = redis_info_number(i->info, "total_system_memory");
	const int64_t limit = set > 0 ? set : all;

	if (limit <= 0 || (double)used < NEARLY_FULL * (double)limit)
		return false;
	ret->error = used >= limit;
	snprintf(ret->what, sizeof(ret->what),
		 "uses %" PRId64 " of %" PRId64 " MiB (%s)%s", used >> 20,
		 limit >> 20, set > 0 ? "maxmemory" : "all available memory",
		 ret->error ? ", and accepts no more tasks" : "");
	ret->remedy = "start more workers, lower [backend] ttl and [executor] "
		      "max_queue_size, or give it more memory";
	return true;
}

/* Snapshots are minutes apart, the append-only file is a second behind: the
 * first is a warning, neither is an error. */
bool
redis_check_persistence(const struct redis_info *i, struct redis_finding *ret)
{
	/* Whether it makes any is hidden from us: the milder finding. */
	const bool snapshots = i->save.p == NULL || i->save.len > 0;

	if (redis_info_text(i->info, "aof_enabled").p == NULL ||
	    is(i, "aof_enabled", "1"))
		return false;
	ret->error = !snapshots;
	snprintf(
	    ret->what, sizeof(ret->what), "%s",
	    snapshots
		? "has no append-only file: if it crashes, tasks since its "
		  "last snapshot are lost"
		: "stores nothing on disk: if it stops, all tasks are lost");
	ret->remedy = "set appendonly yes";
	return true;
}

/* Linux writes dirty pages after 30 seconds by default. */
static bool
check_fsync(const struct redis_info *i, struct redis_finding *ret)
{
	ret->error = false;
	if (!is(i, "aof_enabled", "1") ||
	    !slice_eq(i->appendfsync, SLICE("no")))
		return false;
	snprintf(
	    ret->what, sizeof(ret->what),
	    "lets the system decide when to flush its append-only file: if the "
	    "machine crashes, up to half a minute of tasks is lost");
	ret->remedy = "set appendfsync everysec or always";
	return true;
}

/* Only the first that applies: all three have the same cause, a disk. */
static bool
check_writes(const struct redis_info *i, struct redis_finding *ret)
{
	static const struct {
		const char *field, *what;
	} writes[] = {
	    {"rdb_last_bgsave_status",
	     "could not write its last snapshot, and may refuse tasks"},
	    {"aof_last_write_status",
	     "could not write to its append-only file, and refuses tasks"},
	    {"aof_last_bgrewrite_status",
	     "could not rewrite its append-only file, which grows"}};
	size_t k;

	for (k = 0; k < sizeof(writes) / sizeof(writes[0]); k++) {
		if (!is(i, writes[k].field, "err"))
			continue;
		ret->error = true;
		snprintf(ret->what, sizeof(ret->what), "%s", writes[k].what);
		ret->remedy = "check its log; usually the disk is full or its "
			      "directory is not writable";
		return true;
	}
	return false;
}

/*
 * fork() copies the page tables, which takes longer the more memory there is.
 */
static bool
check_fork(const struct redis_info *i, struct redis_finding *ret)
{
	const int64_t us = redis_info_number(i->info, "latest_fork_usec");

	ret->error = false;
	if (us < FORK_MAX_US)
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "stopped for %" PRId64
		 " ms when it last forked to write its files",
		 us / 1000);
	ret->remedy = "disable transparent huge pages on its machine, or store "
		      "less in it";
	return true;
}

/* A worker has a connection for each queue, so the limit comes sooner than
 * people expect. */
static bool
check_clients(const struct redis_info *i, struct redis_finding *ret)
{
	const int64_t n = redis_info_number(i->info, "connected_clients");
	const int64_t most = redis_info_number(i->info, "maxclients");
	const int64_t refused =
	    redis_info_number(i->info, "rejected_connections");
	const bool many = most > 0 && (double)n > NEARLY_FULL * (double)most;

	ret->error = false;
	if (!many && refused <= 0)
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "has %" PRId64 " of at most %" PRId64 " clients (%" PRId64
		 " of them waiting), and has refused %" PRId64
		 " since it was started",
		 n, most, redis_info_number(i->info, "blocked_clients"),
		 refused);
	ret->remedy = "raise its maxclients";
	return true;
}

/* Due times are the server's, deadlines the worker's. */
static bool
check_clock(const struct redis_info *i, struct redis_finding *ret)
{
	const double s = (double)i->ahead_us / 1e6;

	ret->error = false;
	if (i->ahead_us < AHEAD_MAX_US && i->ahead_us > -AHEAD_MAX_US)
		return false;
	snprintf(ret->what, sizeof(ret->what),
		 "has a clock that is %.1f s %s that of this machine",
		 s > 0 ? s : -s, s > 0 ? "ahead of" : "behind");
	ret->remedy =
	    "synchronize both with NTP: delays and expiry depend on them";
	return true;
}

/* In the order of the report. */
redis_check_fn *const redis_checks[] = {redis_check_away,
					rinfo_check_version,
					check_role,
					redis_check_eviction,
					check_evicted,
					check_memory,
					redis_check_persistence,
					check_fsync,
					check_writes,
					check_fork,
					check_clients,
					check_clock,
					redis_check_replicas,
					redis_check_cut_off,
					redis_check_mode,
					NULL};
