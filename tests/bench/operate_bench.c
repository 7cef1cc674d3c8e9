/* SPDX-License-Identifier: MIT */
/*
 * Measures the operators' calls of the Redis broker, with a million tasks that
 * wait (or as many as is said), a tenth of that delayed, some dead and some in
 * flight: how long each takes, and the longest that the server was busy with
 * one command of it. A search takes several calls.
 *
 * Ends with 1 if a call took 50 ms, or a command 10 ms.
 *
 * Usage: operate_bench [TASKS]
 */
#include <err.h>
#include <event2/event.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/operate.h"
#include "redis_server.h"
#include "util/clock.h"

#define ROUNDS 20
#define ROUNDS_MAX 4096
#define DEAD 20000
#define IN_FLIGHT 1000
#define WORKERS 50
#define CALL_MAX_MS 50.0
#define COMMAND_MAX_MS 10.0
#define TASK                                                                   \
	"{\"id\":\"t%ld\",\"name\":\"demo.noop\",\"args\":[%ld,\"hello\"],"    \
	"\"kwargs\":{},\"max_retries\":3,\"retry_delay\":1.0,"                 \
	"\"current_retry\":0,\"priority\":%d,\"cpu_bound\":false,"             \
	"\"queue\":\"io\","                                                    \
	"\"submitted_at\":\"2026-11-23T10:00:00.000000+00:00\"}"

static struct {
	long tasks;
	struct redis_server *server;
	struct event_base *base;
	struct broker *broker;
	/* The call that is being timed. */
	bool answered;
	struct err err;
	size_t n; /* items that were shown */
	char next[256];
	char keys[BROKER_PAGE_MAX][64];
	bool failed;
} bench;

/* --- filling ----------------------------------------------------------- */

static redisContext *
connect_directly(void)
{
	const char *path = redis_server_unix_url(bench.server);
	redisContext *c = redisConnectUnix(path + strlen("unix://"));

	if (c == NULL || c->err)
		errx(71, "%s does not answer", path);
	return c;
}

static void
drain(redisContext *c, long n)
{
	redisReply *reply;

	for (; n > 0; n--) {
		if (redisGetReply(c, (void **)&reply) != REDIS_OK ||
		    reply->type == REDIS_REPLY_ERROR)
			errx(71, "filling: %s",
			     c->err ? c->errstr : reply->str);
		freeReplyObject(reply);
	}
}

static void
fill(void)
{
	static const char q[] = "flowrra:queue:io";
	redisContext *c = connect_directly();
	long i, sent = 0;

	for (i = 0; i < bench.tasks; i++, sent++) {
		if (i % 50 == 0)
			redisAppendCommand(c, "LPUSH {%s}:p:5 " TASK, q, i, i,
					   5);
		else
			redisAppendCommand(c, "LPUSH %s " TASK, q, i, i, 0);
		if (sent == 1000) {
			drain(c, sent);
			sent = 0;
		}
	}
	drain(c, sent);
	for (i = 0; i < bench.tasks / 10; i++)
		redisAppendCommand(c, "ZADD {%s}:delayed %ld.5 " TASK, q,
				   1900000000000 + i, bench.tasks + i, i, 0);
	drain(c, i);
	for (i = 0; i < DEAD; i++) {
		redisAppendCommand(c, "ZADD {%s}:dead %ld d%ld", q,
				   1790000000000 + i, i);
		redisAppendCommand(c, "HSET {%s}:dead:tasks d%ld " TASK, q, i,
				   i, i, 0);
		redisAppendCommand(c, "HSET {%s}:dead:info d%ld {}", q, i);
	}
	drain(c, 3 * i);
	for (i = 0; i < IN_FLIGHT; i++)
		redisAppendCommand(c, "LPUSH {%s}:inflight:host:%ld#%ld " TASK,
				   q, i % WORKERS, 1 + i % 16, i, i, 0);
	drain(c, i);
	for (i = 0; i < WORKERS; i++)
		redisAppendCommand(c, "ZADD flowrra:workers %ld host:%ld", i,
				   i);
	redisAppendCommand(c, "ZADD {%s}:levels 5 5", q);
	redisAppendCommand(c, "SADD flowrra:queues io cpu mail");
	drain(c, i + 2);
	redisFree(c);
}

/* --- calls ------------------------------------------------------------- */

static void
done(const struct err *err)
{
	bench.answered = true;
	if (err != NULL)
		bench.err = *err;
}

static void
on_value(struct slice value, const struct err *err, void *arg)
{
	(void)value;
	(void)arg;
	done(err);
}

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	size_t i;

	(void)arg;
	done(err);
	if (page == NULL)
		return;
	bench.n = page->n;
	snprintf(bench.next, sizeof(bench.next), "%.*s", (int)page->next.len,
		 page->next.len > 0 ? page->next.p : "");
	for (i = 0; i < page->n; i++)
		snprintf(bench.keys[i], sizeof(bench.keys[i]), "%.*s",
			 (int)page->items[i].key.len,
			 page->items[i].key.len > 0 ? page->items[i].key.p
						    : "");
}

static void
on_exhumed(struct broker_exhume *batch, size_t n, void *arg)
{
	(void)n;
	(void)arg;
	done(batch[0].err.code != ERR_NONE ? &batch[0].err : NULL);
}

static void
queues(const char *name)
{
	broker_queues(bench.broker, slice_of(name), on_value, NULL);
}

static void
workers(const char *none)
{
	(void)none;
	broker_workers(bench.broker, on_value, NULL);
}

static void
examine(const char *none)
{
	(void)none;
	broker_examine(bench.broker, on_value, NULL);
}

static void
pause_queue(const char *yes)
{
	broker_pause(bench.broker, SLICE("cpu"), yes[0] == '1', on_value, NULL);
}

static void
view(enum broker_place place, const char *cursor)
{
	const struct broker_view asked = {.queue = SLICE("io"),
					  .place = place,
					  .cursor = slice_of(cursor),
					  .n = BROKER_PAGE_MAX};

	broker_view(bench.broker, &asked, on_page, NULL);
}

static void
view_waiting(const char *cursor)
{
	view(BROKER_WAITING, cursor);
}

static void
view_delayed(const char *cursor)
{
	view(BROKER_DELAYED, cursor);
}

static void
view_in_flight(const char *cursor)
{
	view(BROKER_IN_FLIGHT, cursor);
}

static void
view_dead(const char *cursor)
{
	view(BROKER_DEAD, cursor);
}

static void
withdraw(const char *id)
{
	char cursor[sizeof(bench.next)];

	snprintf(cursor, sizeof(cursor), "%s", bench.next);
	broker_withdraw(bench.broker, SLICE("io"), slice_of(id),
			slice_of(cursor), on_page, NULL);
}

static void
exhume(const char *again)
{
	static struct broker_exhume batch[BROKER_PAGE_MAX];
	size_t i;

	for (i = 0; i < bench.n; i++)
		batch[i] =
		    (struct broker_exhume){.key = slice_of(bench.keys[i]),
					   .again = slice_of(again),
					   .priority = (int32_t)(i % 2)};
	broker_exhume(bench.broker, SLICE("io"), batch, bench.n, on_exhumed,
		      NULL);
}

static void
purge(const char *none)
{
	(void)none;
	broker_purge(bench.broker, SLICE("io"), BROKER_PAGE_MAX, on_page, NULL);
}

/* --- measuring --------------------------------------------------------- */

static double
run(void (*call)(const char *), const char *arg)
{
	const int64_t start_us = clock_mono_us();

	bench.answered = false;
	call(arg);
	while (!bench.answered)
		event_base_loop(bench.base, EVLOOP_ONCE);
	if (bench.err.code != ERR_NONE)
		errx(1, "%s", bench.err.msg);
	return (double)(clock_mono_us() - start_us) / 1e3;
}

/* The longest command since it was last asked. */
static double
longest_ms(void)
{
	redisReply *log = redis_server_command(bench.server, "SLOWLOG GET -1");
	long long us = 0;
	size_t i;

	for (i = 0; i < log->elements; i++)
		if (log->element[i]->element[2]->integer > us)
			us = log->element[i]->element[2]->integer;
	freeReplyObject(log);
	redis_server_run(bench.server, "SLOWLOG RESET");
	return (double)us / 1e3;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
report(const char *name, double *ms, size_t n)
{
	const double longest = longest_ms();
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += ms[i];
	qsort(ms, n, sizeof(*ms), compare);
	printf("%-34s %6zu %9.2f %9.2f %9.2f %9.2f\n", name, n, sum, ms[n / 2],
	       ms[n - 1], longest);
	fflush(stdout);
	bench.failed = bench.failed || ms[n - 1] >= CALL_MAX_MS ||
		       longest >= COMMAND_MAX_MS;
}

static void
measure(const char *name, void (*call)(const char *), const char *arg)
{
	double ms[ROUNDS];
	size_t i;

	for (i = 0; i < ROUNDS; i++)
		ms[i] = run(call, arg);
	report(name, ms, ROUNDS);
}

/* Goes on as long as there is a next page. */
static void
measure_all(const char *name, void (*call)(const char *), const char *arg)
{
	double *ms = calloc(ROUNDS_MAX, sizeof(*ms));
	size_t n = 0;

	bench.next[0] = '\0';
	do
		ms[n++] = run(call, arg);
	while (bench.next[0] != '\0' && n < ROUNDS_MAX);
	report(name, ms, n);
	free(ms);
}

static void
measure_looking(void)
{
	char middle[32];

	measure("queues", queues, "");
	measure("one queue", queues, "io");
	measure("workers", workers, "");
	measure("examine", examine, "");
	measure("waiting, the newest", view_waiting, "");
	snprintf(middle, sizeof(middle), "0:%ld", bench.tasks / 2);
	measure("waiting, in the middle", view_waiting, middle);
	snprintf(middle, sizeof(middle), "0:%ld", bench.tasks * 98 / 100 - 500);
	measure("waiting, the oldest", view_waiting, middle);
	measure("delayed, the last due", view_delayed, "");
	snprintf(middle, sizeof(middle), "%ld", bench.tasks / 20);
	measure("delayed, in the middle", view_delayed, middle);
	measure("in flight", view_in_flight, "");
	measure("dead", view_dead, "");
}

static void
measure_doing(void)
{
	char id[32];

	measure("pause", pause_queue, "1");
	measure("resume", pause_queue, "0");
	snprintf(id, sizeof(id), "t%ld", bench.tasks - 1);
	measure_all("withdraw the newest", withdraw, id);
	snprintf(id, sizeof(id), "t%ld", bench.tasks / 2 + 1);
	measure_all("withdraw from the middle", withdraw, id);
	measure_all("withdraw the oldest", withdraw, "t1");
	measure_all("withdraw a delayed one", withdraw, "t1000000");
	measure_all("withdraw one that is not there", withdraw, "none");
	run(view_dead, "");
	measure_all("retry 500 of the dead", exhume, "{\"id\":\"again\"}");
	run(view_dead, "");
	measure_all("delete 500 of the dead", exhume, "");
	measure("purge 500", purge, NULL);
	measure_all("purge all", purge, NULL);
}

static void
on_state(bool up, bool final, const struct err *why, void *arg)
{
	(void) final;
	(void)arg;
	done(up ? NULL : why);
}

int
main(int argc, char **argv)
{
	static const char *const settings[] = {"--slowlog-log-slower-than",
					       "200", "--slowlog-max-len",
					       "10000", NULL};
	const struct redis_server_options server = {.args = settings};
	struct broker_options options = {.queue_key = "flowrra:queue",
					 .timeout_ms = 5000,
					 .max_connections = 10,
					 .on_state = on_state};
	struct err why;

	bench.tasks = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
	if (bench.tasks < 1000)
		errx(64, "usage: operate_bench [TASKS], at least 1000");
	bench.server = redis_server_start(&server);
	fill();
	longest_ms();
	bench.base = options.base = event_base_new();
	options.url = redis_server_unix_url(bench.server);
	bench.broker = broker_open(&options, &why);
	if (bench.broker == NULL)
		errx(1, "%s", why.msg);
	while (!bench.answered)
		event_base_loop(bench.base, EVLOOP_ONCE);
	printf("%-34s %6s %9s %9s %9s %9s\n",
	       "with as many waiting tasks:", "calls", "ms in all", "median",
	       "longest", "command");
	printf("%ld\n", bench.tasks);
	measure_looking();
	measure_doing();
	broker_close(bench.broker);
	event_base_free(bench.base);
	redis_server_stop(bench.server);
	return bench.failed;
}
