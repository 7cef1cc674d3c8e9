/* SPDX-License-Identifier: MIT */
/* Bytes in a queue that are no task: none stops a worker, none vanishes. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/look.h"
#include "e2e/worker.h"
#include "util/buf.h"

#define DEEP 100000
#define LARGE (2 * 1024 * 1024)

struct bad {
	const char *bytes;
	size_t len; /* 0: up to the NUL */
	const char *reason;
};

#define TASK(fields)                                                           \
	"{\"id\":\"x\",\"name\":\"add\",\"args\":[1,2],\"kwargs\":{}" fields "}"
#define BYTES(text) text, sizeof(text) - 1

static const struct bad bads[] = {
    {"hello", 0, "malformed"},
    {BYTES("\0\1\2\3{\"id\":\0\377"), "malformed"},
    {BYTES("{\"id\":\"x\0y\",\"name\":\"add\"}"), "malformed"},
    {"null", 0, "malformed"},
    {"[]", 0, "malformed"},
    {"{}", 0, "malformed"},
    {"{\"id\":\"x\"}", 0, "malformed"},
    {"{\"name\":\"add\"}", 0, "malformed"},
    {TASK("") TASK(""), 0, "malformed"},
    {TASK("") "x", 0, "malformed"},
    {"{\"id\":\"caf\351\",\"name\":\"add\"}", 0, "malformed"},
    {TASK(",\"x\":\"\355\240\200\""), 0, "malformed"},
    {TASK(",\"x\":\"\300\200\""), 0, "malformed"},
    {"{\"id\":7,\"name\":\"add\",\"args\":[],\"kwargs\":{}}", 0, "malformed"},
    {"{\"id\":\"a b\",\"name\":\"add\",\"args\":[],\"kwargs\":{}}", 0,
     "malformed"},
    {"{\"id\":\"x\",\"name\":[],\"args\":[],\"kwargs\":{}}", 0, "malformed"},
    {"{\"id\":\"x\",\"name\":\"a b\",\"args\":[],\"kwargs\":{}}", 0,
     "malformed"},
    {"{\"id\":\"x\",\"name\":\"add\",\"args\":{},\"kwargs\":{}}", 0,
     "malformed"},
    {"{\"id\":\"x\",\"name\":\"add\",\"args\":[],\"kwargs\":[]}", 0,
     "malformed"},
    {TASK(",\"priority\":\"high\""), 0, "malformed"},
    {TASK(",\"priority\":0.5"), 0, "malformed"},
    {TASK(",\"priority\":1e99"), 0, "malformed"},
    {TASK(",\"cpu_bound\":\"no\""), 0, "malformed"},
    {TASK(",\"max_retries\":-5"), 0, "malformed"},
    {TASK(",\"max_retries\":\"3\""), 0, "malformed"},
    {TASK(",\"retry_delay\":-1"), 0, "malformed"},
    {TASK(",\"retry_delay\":\"soon\""), 0, "malformed"},
    {TASK(",\"current_retry\":true"), 0, "malformed"},
    {TASK(",\"timeout\":[]"), 0, "malformed"},
    {TASK(",\"expires_at\":\"tomorrow\""), 0, "malformed"},
    {TASK(",\"submitted_at\":12"), 0, "malformed"},
    {TASK(",\"queue\":{}"), 0, "malformed"},
    {TASK(",\"crashes\":\"many\""), 0, "malformed"},
    {TASK(",\"id\":\"y\""), 0, "malformed"},
    {TASK(",\"priority\":1,\"priority\":2"), 0, "malformed"},
    {"", 0, ""},
};
#define N_BADS (sizeof(bads) / sizeof(bads[0]))
#define N_ALL (N_BADS + 2)

/* The table, and what is too large or too deep for one. */
static struct bad
bad_at(struct world *w, size_t i)
{
	struct bad bad;
	char *p;

	if (i < N_BADS) {
		bad = bads[i];
		if (bad.len == 0)
			bad.len = strlen(bad.bytes);
		return bad;
	}
	p = world_keep(w, malloc(LARGE + 1));
	memset(p, i == N_BADS ? '[' : 'x', LARGE);
	bad = (struct bad){p, i == N_BADS ? DEEP : LARGE,
			   i == N_BADS ? "malformed" : "too_large"};
	return bad;
}

/* Looks for the very bytes among the dead; returns their reason. */
static const char *
dead_reason(struct world *w, const struct bad *bad)
{
	redisReply *tasks = redis_server_command(
	    world_redis(w), "HGETALL {flowrra:queue:io}:dead:tasks");
	const redisReply *bytes;
	const char *reason = NULL, *info;
	size_t i;

	for (i = 0; i + 1 < tasks->elements && reason == NULL; i += 2) {
		bytes = tasks->element[i + 1];
		if (bytes->len != bad->len ||
		    memcmp(bytes->str, bad->bytes, bad->len) != 0)
			continue;
		info = dead_info(w, "io", tasks->element[i]->str);
		ck_assert_ptr_nonnull(info);
		ck_assert_str_ne(json_field(w, info, "error"), "");
		reason = json_field(w, info, "reason");
	}
	freeReplyObject(tasks);
	return reason;
}

static void
wait_dead(struct world *w, size_t i)
{
	const struct bad bad = bad_at(w, i);
	const int64_t deadline = now_ms() + PATIENCE_MS;
	unsigned int turn = 0;

	while (dead_reason(w, &bad) == NULL)
		ck_assert_msg(wait_a_moment(deadline, &turn),
			      "number %zu is not among the dead: %.80s", i,
			      bad.bytes);
}

static void
check_dead(struct world *w, size_t i)
{
	const struct bad bad = bad_at(w, i);

	if (bad.reason[0] != '\0')
		ck_assert_str_eq(dead_reason(w, &bad), bad.reason);
}

static void
check_alive(struct world *w)
{
	ck_assert_str_eq(submit(w, "add 1 2 --wait --wait-timeout 20"), "3");
	WAIT_UNTIL(in_flight(w, "io") == 0);
	ck_assert_int_eq(waiting(w, "io"), 0);
}

START_TEST(an_idle_worker_sets_aside_what_is_no_task)
{
	struct world *w = world_start(NULL);
	struct bad bad;
	size_t i;

	for (i = 0; i < N_ALL; i++) {
		bad = bad_at(w, i);
		push_bytes(w, bad.bytes, bad.len);
		wait_dead(w, i);
		check_dead(w, i);
	}
	check_alive(w);
	world_stop(w);
}
END_TEST

START_TEST(a_worker_that_starts_sets_aside_what_is_no_task)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct bad bad;
	size_t i;

	for (i = 0; i < N_ALL; i++) {
		bad = bad_at(w, i);
		push_bytes(w, bad.bytes, bad.len);
	}
	worker_start(w, NULL);
	for (i = 0; i < N_ALL; i++)
		wait_dead(w, i);
	for (i = 0; i < N_ALL; i++)
		check_dead(w, i);
	ck_assert_int_eq(dead(w, "io"), (long long)N_ALL);
	check_alive(w);
	world_stop(w);
}
END_TEST

/* Found in flight after a crash, they go the same way. */
START_TEST(what_was_in_flight_and_is_no_task_is_set_aside)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	struct bad bad;
	size_t i;

	for (i = 0; i < N_ALL; i++) {
		bad = bad_at(w, i);
		redis_server_run(world_redis(w),
				 "LPUSH {flowrra:queue:io}:inflight:test:1 %b",
				 bad.bytes, bad.len);
	}
	worker_start(w, NULL);
	for (i = 0; i < N_ALL; i++)
		wait_dead(w, i);
	for (i = 0; i < N_ALL; i++)
		check_dead(w, i);
	ck_assert_int_eq(dead(w, "io"), (long long)N_ALL);
	check_alive(w);
	world_stop(w);
}
END_TEST

/* Their producer has stored a record, as the Python package does, and waits. */
START_TEST(who_waits_for_what_is_no_task_is_told_why)
{
	static const struct {
		const char *id, *task, *why;
	} told[] = {
	    {"nan", "{\"id\":\"nan\",\"name\":\"add\",\"args\":[NaN]}",
	     "NaN is not JSON"},
	    {"half",
	     "{\"id\":\"half\",\"name\":\"add\",\"args\":[\"\\ud800\"]}",
	     "surrogate"},
	    {"field",
	     "{\"priority\":\"high\",\"name\":\"add\",\"id\":\"field\"}",
	     "priority"},
	    {"deep", "{\"id\":\"deep\",\"name\":\"add\",\"args\":", "too deep"},
	    {"large", "{\"name\":\"add\",\"args\":[\"", "max_task_size"},
	};
	struct world *w = world_start(NULL);
	struct run *waits[5];
	struct buf bytes = BUF_INIT;
	size_t i, k;

	run_start(w, "exec flowrractl -c flowrra.conf events >events");
	/* It tells what comes after it has begun: so until it does. */
	while (world_read(w, "events")[0] == '\0')
		submit(w, "add 1 2 --wait");
	for (i = 0; i < 5; i++) {
		redis_server_run(world_redis(w),
				 "SET flowrra:task:%s "
				 "{\"task_id\":\"%s\",\"status\":\"pending\"}",
				 told[i].id, told[i].id);
		waits[i] = run_start(
		    w, "exec flowrractl -c flowrra.conf wait %s --timeout 30",
		    told[i].id);
		buf_reset(&bytes);
		buf_adds(&bytes, told[i].task);
		for (k = 0; i == 3 && k < 600; k++)
			buf_addc(&bytes, '[');
		for (k = 0; i == 4 && k < LARGE; k++)
			buf_addc(&bytes, 'x');
		if (i == 4)
			buf_adds(&bytes, "\"],\"id\":\"large\"}");
		push_bytes(w, bytes.data, bytes.len);
	}
	for (i = 0; i < 5; i++) {
		ck_complains(run_end(w, waits[i]), 1, told[i].why);
		ck_field(w, told[i].id, "status", "failed");
		ck_assert_ptr_nonnull(dead_info(w, "io", told[i].id));
	}
	for (i = 0; i < 5; i++)
		WAIT_UNTIL(strstr(world_read(w, "events"), told[i].why) !=
			   NULL);
	buf_done(&bytes);
	check_alive(w);
	world_stop(w);
}
END_TEST

/* Another program's task and records; no worker runs. */
START_TEST(what_others_have_put_there_is_shown)
{
	const struct world_options o = {.no_worker = true};
	struct world *w = world_start(&o);
	static const char *const ids[] = {"big", "nan"};
	static const char *const values[] = {"12345678901234567890", "NaN"};
	const char *show;
	size_t i;

	submit(w, "add 1 2 --id good --force --queue io");
	for (i = 0; i < 2; i++) {
		push(w, world_text(w,
				   "{\"id\":\"%s\",\"name\":\"add\",\"args\":"
				   "[%s]}",
				   ids[i], values[i]));
		redis_server_run(world_redis(w),
				 "SET flowrra:task:%s "
				 "{\"task_id\":\"%s\",\"status\":\"pending\","
				 "\"task_name\":\"add\",\"queue\":\"io\","
				 "\"args\":[%s,0.1]}",
				 ids[i], ids[i], values[i]);
		redis_server_run(
		    world_redis(w),
		    "SET flowrra:task:done-%s "
		    "{\"task_id\":\"done-%s\",\"status\":\"failed\","
		    "\"task_name\":\"add\",\"error\":\"no\","
		    "\"args\":[%s]}",
		    ids[i], ids[i], values[i]);
		redis_server_run(world_redis(w), "LPUSH flowrra:failed done-%s",
				 ids[i]);
	}
	ck_run(ctl(w, "tasks pending --json | grep -o '\"task_id\":\"[a-z]*\"' "
		      "| sort | tr -d '\\n'"),
	       0, "\"task_id\":\"big\"\"task_id\":\"good\"\"task_id\":\"nan\"");
	ck_run(ctl(w, "tasks pending --task add | wc -l"), 0, "3\n");
	ck_run(ctl(w,
		   "tasks failed --task add --json | grep -o 'done-[a-z]*' | "
		   "sort | tr -d '\\n'"),
	       0, "done-bigdone-nan");
	for (i = 0; i < 2; i++) {
		show = ctl_ok(w, "tasks show %s --json", ids[i]);
		ck_assert_str_eq(json_field(w, show, "where"), "waiting");
		ck_assert_str_eq(json_field(w, show, "entry.task_name"), "add");
		ck_assert_str_eq(json_field(w, show, "entry.args"),
				 world_text(w, "[\"%s\"]", values[i]));
		ck_complains(ctl(w, "result done-%s", ids[i]), 1, "no");
		ck_run(ctl(w, "cancel %s", ids[i]), 0, "");
		ck_complains(ctl(w, "wait %s", ids[i]), 1, "cancelled");
	}
	/* What can be kept exactly is. */
	ck_assert_ptr_nonnull(
	    strstr(record(w, "big"), "\"args\":[12345678901234567890,0.1]"));
	ck_assert_ptr_nonnull(
	    strstr(record(w, "nan"), "\"args\":[\"NaN\",0.1]"));
	ck_assert_int_eq(waiting(w, "io"), 1);
	world_stop(w);
}
END_TEST

/* The producer's limit is larger than the worker's. */
START_TEST(who_waits_for_what_is_too_large_is_told_why)
{
	const struct world_options o = {.config = "max_task_size = 1000\n",
					.embedded = _i};
	struct world *w = world_start(&o);
	const char *id;

	world_configure(w, "demo", "");
	id = submit(w, "sleep 0 --id large --kw pad=$(printf %%060000d 7)");
	ck_complains(ctl(w, "wait %s --timeout 30", id), 1, "max_task_size");
	ck_run(ctl(w, "result large --json | grep -c '\"reason\": *"
		      "\"too_large\"'"),
	       0, "1\n");
	WAIT_UNTIL(ctl(w, "tasks show large | grep -c 'dead'")->status == 0);
	world_stop(w);
}
END_TEST

START_TEST(an_unknown_task_is_left_to_others_for_a_while)
{
	struct world *w = world_start(NULL);
	const char *id = submit(w, "other.task 1 --force --queue io");
	double score, now = redis_now_ms(w);
	const char *info;

	WAIT_UNTIL(delayed(w, "io") == 1);
	ck_assert_str_eq(json_field(w, the_delayed(w, "io", &score), "unknown"),
			 "1");
	ck_assert_double_gt(score, now);
	ck_field(w, id, "status", "pending");
	/* Nobody has known it for a day. */
	push(w, "{\"id\":\"lost\",\"name\":\"other.task\",\"args\":[1],"
		"\"kwargs\":{},\"unknown\":295}");
	wait_status(w, "lost", "failed");
	ck_field(w, "lost", "reason", "unknown_task");
	WAIT_UNTIL(dead(w, "io") == 1);
	info = dead_info(w, "io", "lost");
	ck_assert_str_eq(json_field(w, info, "reason"), "unknown_task");
	ck_assert_str_eq(json_field(w, dead_task(w, "io", "lost"), "id"),
			 "lost");
	check_alive(w);
	world_stop(w);
}
END_TEST

START_TEST(a_retry_does_not_make_a_task_too_large)
{
	const struct world_options o = {.config = "max_task_size = 1000\n"};
	struct world *w = world_start(&o);
	static const char task[] =
	    "{\"id\":\"full\",\"name\":\"fail\",\"args\":[\"no\"],"
	    "\"priority\":1,\"max_retries\":1,\"retry_delay\":0.05,\"pad\":\"%"
	    "0*d\"}";
	const char *empty = world_text(w, task, 1, 0);

	push(w, world_text(w, task, 1001 - (int)strlen(empty), 0));
	wait_status(w, "full", "failed");
	ck_field(w, "full", "attempts", "2");
	ck_field(w, "full", "reason", "failed");
	world_stop(w);
}
END_TEST

SUITE("bad-tasks")
{
	SUITE_TIMEOUT(120);
	TEST(an_idle_worker_sets_aside_what_is_no_task);
	TEST(a_worker_that_starts_sets_aside_what_is_no_task);
	TEST(what_was_in_flight_and_is_no_task_is_set_aside);
	TEST(who_waits_for_what_is_no_task_is_told_why);
	TEST(what_others_have_put_there_is_shown);
	TEST_LOOP(who_waits_for_what_is_too_large_is_told_why, 0, 2);
	TEST(an_unknown_task_is_left_to_others_for_a_while);
	TEST(a_retry_does_not_make_a_task_too_large);
}
