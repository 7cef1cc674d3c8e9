/* SPDX-License-Identifier: MIT */
/*
 * Limits of the process and of the machine.
 *
 * The kernel says EAGAIN for four different limits on processes. Which one it
 * was is worked out from what is in force at the time of the warning: it names
 * the most likely, and the number, so that nobody has to look for it.
 */
#include "util/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/err.h"

/* Between two warnings about the same limit. */
#define REPEAT_MS 60000
/* A control group with less room than this was the one that refused: others may
 * have ended between the failure and the look at it. */
#define NEAR 8

/* Which of the three is short. */
enum limits_kind {
	LIMITS_FILES,
	LIMITS_PROCESSES,
	LIMITS_MEMORY,
	LIMITS_KINDS,
	LIMITS_NONE = LIMITS_KINDS
};

/* Written once, before any thread is started. */
static struct rlimit found; /* rlim_max 0: not yet looked */

/* ETOOMANYREFS: descriptors under way over sockets count against the same
 * limit. ENOBUFS: a socket's memory. */
static enum limits_kind
limits_kind_of(int sys)
{
	switch (sys) {
	case EMFILE:
	case ENFILE:
	case ETOOMANYREFS:
		return LIMITS_FILES;
	case EAGAIN:
		return LIMITS_PROCESSES;
	case ENOMEM:
	case ENOBUFS:
		return LIMITS_MEMORY;
	default:
		return LIMITS_NONE;
	}
}

bool
limits_is_short(int sys)
{
	return limits_kind_of(sys) != LIMITS_NONE;
}

bool
limits_warning_due(int sys)
{
	static _Atomic int64_t told_ms[LIMITS_KINDS];
	const enum limits_kind kind = limits_kind_of(sys);
	const int64_t now = clock_mono_ms();
	int64_t last;

	if (kind == LIMITS_NONE)
		return false;
	last = atomic_load(&told_ms[kind]);
	if (last != 0 && now - last < REPEAT_MS)
		return false;
	return atomic_compare_exchange_strong(&told_ms[kind], &last, now);
}

/* --- what is in force ---------------------------------------------------- */

/* The number in a file; -1 if there is none ("max"), or no such file. */
static int64_t
limits_read_number(const char *path)
{
	char text[32], *end;
	long long n = -1;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return -1;
	if (fgets(text, sizeof(text), f) != NULL) {
		n = strtoll(text, &end, 10);
		if (end == text)
			n = -1;
	}
	fclose(f);
	return n;
}

/* The folder of this process' control group that has the controller: the
 * unified hierarchy ("0::/…"), or one of its own ("8:pids:/…"). */
static int
limits_find_group(const char *controller, char ret[PATH_MAX])
{
	char line[PATH_MAX], *names, *path;
	int status = -1;
	FILE *f;

	if ((f = fopen("/proc/self/cgroup", "re")) == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if ((names = strchr(line, ':')) == NULL ||
		    (path = strchr(names + 1, ':')) == NULL)
			continue;
		*names++ = *path++ = '\0';
		if (*names != '\0' && strcmp(names, controller) != 0)
			continue;
		snprintf(ret, PATH_MAX, "/sys/fs/cgroup/%.100s%.3900s", names,
			 path);
		status = 0;
		if (*names != '\0')
			break;
	}
	fclose(f);
	return status;
}

/*
 * The limit on processes of the control group, or of one above it, that has the
 * least room: *ret_room. -1 if none has a limit.
 */
static int64_t
limits_group_processes(int64_t *ret_room)
{
	char group[PATH_MAX], path[PATH_MAX + 16], *slash;
	int64_t most, now, result = -1;

	*ret_room = INT64_MAX;
	if (limits_find_group("pids", group) != 0)
		return -1;
	for (;;) {
		snprintf(path, sizeof(path), "%s/pids.max", group);
		most = limits_read_number(path);
		snprintf(path, sizeof(path), "%s/pids.current", group);
		now = limits_read_number(path);
		if (most >= 0 && now >= 0 && most - now < *ret_room) {
			*ret_room = most - now;
			result = most;
		}
		slash = strrchr(group, '/');
		if (slash == NULL || slash <= group + strlen("/sys/fs/cgroup"))
			return result;
		*slash = '\0';
	}
}

static uint64_t
limits_soft(int resource)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return RLIM_INFINITY;
	return limit.rlim_cur;
}

uint64_t
limits_files(void)
{
	return limits_soft(RLIMIT_NOFILE);
}

/* --- in words ------------------------------------------------------------ */

static void
limits_explain_files(int sys, char ret[LIMITS_TEXT_MAX])
{
	if (sys == ENFILE)
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the machine's limit on open files is %" PRId64
			 "; raise the sysctl fs.file-max",
			 limits_read_number("/proc/sys/fs/file-max"));
	else
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the limit on open files is %" PRIu64
			 "; raise LimitNOFILE= of the unit, or ulimit -n",
			 limits_files());
}

/* The user's limit does not bind root. */
static void
limits_explain_processes(char ret[LIMITS_TEXT_MAX])
{
	const uint64_t user =
	    geteuid() == 0 ? RLIM_INFINITY : limits_soft(RLIMIT_NPROC);
	int64_t room, group = limits_group_processes(&room);

	if (group >= 0 && (room <= NEAR || user == RLIM_INFINITY))
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the limit on processes and threads is %" PRId64
			 "; raise TasksMax= of the unit (pids.max of its "
			 "control group)",
			 group);
	else if (user != RLIM_INFINITY)
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the limit on processes and threads of the user is "
			 "%" PRIu64
			 "; raise LimitNPROC= of the unit, or ulimit -u",
			 user);
	else
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the machine's limit on processes and threads is "
			 "%" PRId64 "; raise the sysctls kernel.threads-max "
			 "and kernel.pid_max",
			 limits_read_number("/proc/sys/kernel/threads-max"));
}

static void
limits_explain_memory(char ret[LIMITS_TEXT_MAX])
{
	const uint64_t most = limits_soft(RLIMIT_AS);
	char path[PATH_MAX + 16], group[PATH_MAX];
	int64_t bytes = -1;

	if (limits_find_group("memory", group) == 0) {
		snprintf(path, sizeof(path), "%s/memory.max", group);
		bytes = limits_read_number(path);
	}
	if (most != RLIM_INFINITY)
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the limit on a process' memory is %" PRIu64
			 " bytes; raise LimitAS= of the unit or ulimit -v, or "
			 "[executor] memory_limit",
			 most);
	else if (bytes >= 0)
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the limit on memory is %" PRId64
			 " bytes; raise MemoryMax= of the unit",
			 bytes);
	else
		snprintf(ret, LIMITS_TEXT_MAX,
			 "the machine lacks memory; add some, or lower "
			 "[executor] async_tasks and io_workers");
}

void
limits_explain(int sys, char ret[LIMITS_TEXT_MAX])
{
	switch (limits_kind_of(sys)) {
	case LIMITS_FILES:
		limits_explain_files(sys, ret);
		break;
	case LIMITS_PROCESSES:
		limits_explain_processes(ret);
		break;
	default:
		limits_explain_memory(ret);
		break;
	}
}

/* Its stack is memory, too: of that and of processes the one that is set for
 * this process is the likelier. */
int
limits_no_thread(int sys, struct err *err)
{
	char limit[LIMITS_TEXT_MAX];

	if (!limits_is_short(sys))
		return err_set(err, ERR_SYSTEM, "cannot start a thread: %s",
			       strerrordesc_np(sys));
	limits_explain(limits_soft(RLIMIT_AS) != RLIM_INFINITY ? ENOMEM : sys,
		       limit);
	return err_set(err, ERR_SYSTEM, "cannot start a thread: %s: %s",
		       strerrordesc_np(sys), limit);
}

/* --- open files ---------------------------------------------------------- */

void
limits_raise_files(void)
{
	struct rlimit all;

	if (found.rlim_max != 0 || getrlimit(RLIMIT_NOFILE, &found) != 0)
		return;
	all = (struct rlimit){found.rlim_max, found.rlim_max};
	setrlimit(RLIMIT_NOFILE, &all);
}

/* A failure does not keep a program from running: lowering to what was allowed
 * before cannot fail. */
void
limits_restore_files(void)
{
	if (found.rlim_max != 0)
		setrlimit(RLIMIT_NOFILE, &found);
}

int
limits_check_files(unsigned int n, struct err *err)
{
	int fds[LIMITS_CHECK_MAX], sys = 0;
	char limit[LIMITS_TEXT_MAX];
	unsigned int i;

	for (i = 0; i < n && i < LIMITS_CHECK_MAX; i++)
		if ((fds[i] = open("/", O_PATH | O_CLOEXEC)) < 0) {
			sys = errno;
			break;
		}
	while (i > 0)
		close(fds[--i]);
	if (sys == 0)
		return 0;
	limits_explain(sys, limit);
	return err_set(err, ERR_SYSTEM, "%u more files have to be opened: %s",
		       n, limit);
}
