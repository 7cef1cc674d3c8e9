/* SPDX-License-Identifier: MIT */
/* Handlers that misbehave, and bytes that are not a task at all. */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowrra/client.h>

#include "e2e/look.h"
#include "soak/rows.h"
#include "soak/store.h"

/* --- handlers ------------------------------------------------------------ */

static const struct misdeed {
	const char *how;
	const char *end; /* what is said of it in the dead list; NULL: nothing,
			    it succeeds */
	bool only_cpu;
} misdeeds[] = {
    {"segv", "SIGSEGV", false},
    {"bus", "SIGBUS", false},
    {"abort", "SIGABRT", false},
    {"double_free", "SIGABRT", false},
    {"stack_overflow", "SIGSEGV", false},
    {"exit", "ended its process", false},
    {"loop", "killed", false},
    /* More than the limit, which only cpu executors have. */
    {"hog", "SIGABRT", true},
    /* Until max_tasks_per_child lets the process go. */
    {"leak", NULL, true},
    {"leave_child", NULL, false},
    {"flood", NULL, false},
};
#define N_MISDEEDS (sizeof(misdeeds) / sizeof(misdeeds[0]))

static void
commit(struct scene *s, const struct misdeed *m)
{
	const bool cpu = m->only_cpu || rng_between(&s->rng, 0, 1) == 0;
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	int64_t begin = now_ms();
	const char *id;

	if (strcmp(m->how, "loop") == 0) {
		request.timeout_s = 0.2;
		request.max_retries = 0;
	}
	id = scene_submit(s, cpu ? "misbehave_cpu" : "misbehave",
			  world_text(s->world, "\"%s\"", m->how), &request);
	s->tally->faults++;
	if (m->end == NULL)
		return;
	WAIT_UNTIL(scene_is_dead(s, cpu ? "cpu" : "io", id, m->end));
	scene_recovered(s, now_ms() - begin);
}

/* No process that a handler has left behind outlives its executor. */
static void
expect_no_children(struct scene *s)
{
	ck_run(run(s->world,
		   "for p in /proc/[0-9]*; do "
		   "[ \"$(cat $p/comm 2>/dev/null)\" = sleep ] && "
		   "grep -qzx \"TMPDIR=$PWD\" $p/environ 2>/dev/null && "
		   "cat $p/cmdline; done; true"),
	       0, "");
}

static void
handlers_misbehave(struct scene *s)
{
	unsigned int i;

	scene_start(s, &(struct scene_options){
			   .config = "[executor]\nmemory_limit = 1g\n"
				     "max_tasks_per_child = 50\n"});
	s->may_die = true;
	load_start(s, NULL);
	for (i = 0; i < times(s, 1, 20) * N_MISDEEDS; i++) {
		commit(s, &misdeeds[i % N_MISDEEDS]);
		scene_sleep_between(s, 0, 100);
	}
	verdict(s);
	worker_stop(s->workers[0]);
	expect_no_children(s);
	scene_close(s);
}

const struct row row_handlers = {.name = "handlers",
				 .fault = "misbehaving handlers",
				 .brokers = ON_BOTH,
				 .runs = {2, 10},
				 .limit_ms = 10000,
				 .run = handlers_misbehave};

/* --- garbage ------------------------------------------------------------- */

struct garbage {
	char *bytes;
	size_t len;
	const char *reason;
};

static struct garbage
text(const char *bytes, const char *reason)
{
	return (struct garbage){strdup(bytes), strlen(bytes), reason};
}

static struct garbage
noise(struct scene *s, size_t len, const char *reason)
{
	struct garbage g = {malloc(len), len, reason};
	size_t i;

	ck_assert_ptr_nonnull(g.bytes);
	for (i = 0; i < len; i++)
		g.bytes[i] = (char)rng_next(&s->rng);
	return g;
}

/* {"a":[[[[…]]]]} */
static struct garbage
deep(size_t levels)
{
	struct garbage g = {malloc(2 * levels), 2 * levels, "malformed"};

	ck_assert_ptr_nonnull(g.bytes);
	memset(g.bytes, '[', levels);
	memset(g.bytes + levels, ']', levels);
	return g;
}

static struct garbage
large(size_t len)
{
	struct garbage g = {malloc(len), len, "too_large"};

	ck_assert_ptr_nonnull(g.bytes);
	memset(g.bytes, 'x', len);
	return g;
}

static struct garbage
make_garbage(struct scene *s, unsigned int i)
{
	static const char *const texts[] = {
	    "",
	    "no JSON",
	    "{\"id\":\"x\"",
	    "{\"id\":\"1\",\"id\":\"2\",\"name\":\"ledger\"}",
	    "{\"id\":\"\xff\xfe\",\"name\":\"ledger\"}",
	    "{\"id\":\"\\ud800\",\"name\":\"ledger\"}",
	    "[]",
	    "null",
	    "{\"id\":7,\"name\":[]}",
	    "{\"name\":\"ledger\",\"args\":{}}",
	};
	const unsigned int n = sizeof(texts) / sizeof(texts[0]);

	switch (i % (n + 4)) {
	case 0:
		return noise(s, (size_t)rng_between(&s->rng, 1, 5000),
			     "malformed");
	case 1:
		return deep(100000);
	case 2:
		return (struct garbage){memcpy(malloc(9), "{\"id\":\0 }", 9), 9,
					"malformed"};
	case 3:
		return large((size_t)rng_between(&s->rng, 1100000, 8000000));
	default:
		return text(texts[i % (n + 4) - 4], "malformed");
	}
}

/* VmHWM: the most memory that it has had so far, in KiB. */
static long
peak_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ck_assert_ptr_nonnull(f = fopen(path, "re"));
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	fclose(f);
	return kib;
}

/* How many in the dead list have these bytes and this reason. */
static long long
count_in_dead_list(struct scene *s, const struct garbage *g)
{
	static const char script[] =
	    "local n, k = 0, '{flowrra:queue:io}:dead' "
	    "for _, m in ipairs(redis.call('ZREVRANGE', k, 0, 20)) do "
	    "local info = redis.call('HGET', k .. ':info', m) "
	    "if redis.call('HGET', k .. ':tasks', m) == ARGV[1] and "
	    "string.find(info, '\"reason\":\"' .. ARGV[2] .. '\"', 1, true) "
	    "then n = n + 1 end end return n";

	return redis_integer(scene_redis(s), "EVAL %s 0 %b %s", script,
			     g->bytes, g->len, g->reason);
}

static void
throw_in(struct scene *s, struct garbage g)
{
	const int64_t begin = now_ms();

	redis_server_run(scene_redis(s), "LPUSH flowrra:queue:io %b", g.bytes,
			 g.len);
	s->tally->faults++;
	if (g.len < 100u << 20) {
		WAIT_UNTIL(count_in_dead_list(s, &g) > 0);
	} else {
		/* Too large for a script's arguments beside it. */
		WAIT_UNTIL(redis_integer(scene_redis(s), "EVAL %s 0",
					 "local k = '{flowrra:queue:io}:dead' "
					 "local n = 0 for _, m in ipairs("
					 "redis.call('ZREVRANGE', k, 0, 5)) do "
					 "n = math.max(n, redis.call('HSTRLEN',"
					 " k .. ':tasks', m)) end return n") ==
			   (long long)g.len);
	}
	scene_recovered(s, now_ms() - begin);
	free(g.bytes);
}

static void
garbage_comes(struct scene *s)
{
	long before;
	unsigned int i;
	pid_t pid;

	if (s->broker == SOAK_SQLITE) {
		scene_skip(s, "nobody but our own programs writes to it, and "
			      "they check what they write");
		return;
	}
	scene_start(s, NULL);
	pid = worker_pid(s->workers[0]);
	load_start(s, NULL);
	scene_sleep(500);
	before = peak_kib(pid);
	for (i = 0; i < times(s, 28, 280); i++)
		throw_in(s, make_garbage(s, i));
	throw_in(s, large(s->thorough ? 512u << 20 : 64u << 20));
	ck_assert_msg(peak_kib(pid) - before < 8 * 1024,
		      "flowrrad took %ld KiB more", peak_kib(pid) - before);
	scene_end(s);
}

const struct row row_garbage = {.name = "garbage",
				.fault = "garbage in the queue",
				.brokers = ON_BOTH,
				.runs = {1, 3},
				.run = garbage_comes};
