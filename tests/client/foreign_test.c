/* SPDX-License-Identifier: MIT */
/* A client in the event loop of another program, on both stores. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "flowrra/client.h"
#include "redis_server.h"
#include "suite.h"
#include "util/clock.h"

#define TASKS 50
#define DEADLINE_MS 15000

static struct redis_server *server;
static struct flowrra_client *client, *other;
static struct flowrra_error error;
static char dir[128], url[192];

static struct flowrra_client *
open_url(void)
{
	static const char *const settings[] = {
	    "broker.socket_timeout=0.5", "backend.socket_timeout=0.5", NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *c = NULL;

	options.config_file = "/dev/null";
	options.settings = settings;
	options.broker_url = url;
	options.backend_url = "";
	ck_assert_msg(flowrra_open(&options, &c, &error) == 0, "%s",
		      error.message);
	return c;
}

/* `other` is another program's. */
static void
begin(bool embedded)
{
	const char *tmp = getenv("TMPDIR");

	if (embedded) {
		snprintf(dir, sizeof(dir), "%s/flowrra-foreign-XXXXXX",
			 tmp != NULL ? tmp : "/tmp");
		ck_assert_ptr_nonnull(mkdtemp(dir));
		snprintf(url, sizeof(url), "sqlite://%s/flowrra.db", dir);
	} else {
		server = redis_server_start(NULL);
		snprintf(url, sizeof(url), "%s", redis_server_unix_url(server));
	}
	client = open_url();
	other = open_url();
}

static void
end(void)
{
	char command[160];

	flowrra_close(client);
	flowrra_close(other);
	if (server != NULL)
		redis_server_stop(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (dir[0] != '\0')
		ck_assert_int_eq(system(command), 0);
}

static struct flowrra_request
request_of(const char *name)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = name;
	request.queue = "q";
	request.force = true;
	return request;
}

static void
submit_one(char id[FLOWRRA_ID_SIZE])
{
	const struct flowrra_request request = request_of("task");

	ck_assert_msg(flowrra_submit(other, &request, id, &error) == 0, "%s",
		      error.message);
}

/* What has been told of a task. */
struct told {
	unsigned int n;
	int code; /* of an error */
	char reason[32];
	struct flowrra_watch **unwatch; /* within the callback */
};

static void
on_told(struct flowrra_record *record, const struct flowrra_error *why,
	void *arg)
{
	struct told *told = arg;

	told->n++;
	ck_assert((record == NULL) == (why != NULL));
	if (why != NULL)
		told->code = why->code;
	else
		snprintf(told->reason, sizeof(told->reason), "%s",
			 record->reason != NULL ? record->reason : "");
	flowrra_record_free(record);
	if (told->unwatch != NULL) {
		flowrra_unwatch(*told->unwatch);
		*told->unwatch = NULL;
	}
}

/* Waits until the descriptor can be read, and dispatches; false: nothing came. */
static bool
turn(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, ms) == 0)
		return false;
	ck_assert_int_eq(p.revents, POLLIN);
	ck_assert_msg(flowrra_client_dispatch(client, &error) == 0, "%s",
		      error.message);
	return true;
}

static void
turn_until(int fd, const unsigned int *n, unsigned int wanted)
{
	const int64_t until = clock_mono_ms() + DEADLINE_MS;

	while (*n < wanted) {
		ck_assert_msg(clock_mono_ms() < until, "%u of %u were told", *n,
			      wanted);
		turn(fd, 1000);
	}
}

/* When nothing happens the descriptor is quiet: no loop turns for nothing. */
static void
ck_quiet(int fd)
{
	unsigned int n = 0;

	while (turn(fd, 300))
		ck_assert_msg(++n < 100, "the descriptor is always ready");
}

START_TEST(a_program_with_a_loop_of_its_own_submits_and_waits)
{
	const struct flowrra_request request = request_of("task");
	struct flowrra_watch *watches[TASKS];
	struct told told = {.n = 0};
	struct flowrra_batch *batch;
	unsigned int i;
	int fd;

	begin(_i == 1);
	fd = flowrra_client_fd(client, &error);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flowrra_client_fd(client, NULL), fd);
	ck_assert_int_eq(flowrra_batch_new(client, &batch, &error), 0);
	for (i = 0; i < TASKS; i++)
		ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
	ck_assert(!flowrra_batch_answered(batch));
	ck_assert_int_eq(flowrra_batch_send(batch, &error), 0);
	while (!flowrra_batch_answered(batch))
		ck_assert(turn(fd, DEADLINE_MS));
	ck_assert_int_eq(flowrra_batch_wait(batch, &error), 0);
	for (i = 0; i < TASKS; i++) {
		ck_assert_int_eq(flowrra_batch_answer(batch, i, &error), 0);
		ck_assert_int_eq(
		    flowrra_watch(client, flowrra_batch_id(batch, i), on_told,
				  &told, &watches[i], &error),
		    0);
	}
	ck_quiet(fd);
	ck_assert_uint_eq(told.n, 0);
	for (i = 0; i < TASKS; i++)
		ck_assert_int_eq(
		    flowrra_cancel(other, flowrra_batch_id(batch, i), &error),
		    0);
	turn_until(fd, &told.n, TASKS);
	ck_assert_str_eq(told.reason, "cancelled");
	ck_quiet(fd);
	ck_assert_uint_eq(told.n, TASKS);
	for (i = 0; i < TASKS; i++)
		flowrra_unwatch(watches[i]);
	flowrra_batch_free(batch);
	end();
}
END_TEST

/* --- libevent ------------------------------------------------------------ */

struct scene {
	struct event_base *base;
	struct told told;
	char id[FLOWRRA_ID_SIZE];
};

static void
on_scene_readable(evutil_socket_t fd, short what, void *arg)
{
	struct scene *scene = arg;

	ck_assert_int_eq(flowrra_client_dispatch(client, &error), 0);
	if (scene->told.n > 0)
		event_base_loopbreak(scene->base);
}

/* While the loop turns, somebody ends the task. */
static void
on_scene_timer(evutil_socket_t fd, short what, void *arg)
{
	struct scene *scene = arg;

	ck_assert_int_eq(flowrra_cancel(other, scene->id, &error), 0);
}

START_TEST(a_loop_of_libevent_has_it)
{
	const struct timeval soon = {.tv_usec = 50000};
	struct scene scene = {.base = event_base_new()};
	struct flowrra_watch *watch;
	struct event *readable;
	int fd;

	begin(_i == 1);
	fd = flowrra_client_fd(client, &error);
	submit_one(scene.id);
	readable = event_new(scene.base, fd, EV_READ | EV_PERSIST,
			     on_scene_readable, &scene);
	event_add(readable, NULL);
	event_base_once(scene.base, -1, EV_TIMEOUT, on_scene_timer, &scene,
			&soon);
	scene.told.unwatch = &watch;
	ck_assert_int_eq(flowrra_watch(client, scene.id, on_told, &scene.told,
				       &watch, &error),
			 0);
	event_base_dispatch(scene.base);
	ck_assert_uint_eq(scene.told.n, 1);
	ck_assert_ptr_null(watch);
	event_free(readable);
	event_base_free(scene.base);
	end();
}
END_TEST

/* --- faults -------------------------------------------------------------- */

static bool
is_subscribed(const char *id)
{
	redisReply *reply = redis_server_command(
	    server, "PUBSUB NUMSUB flowrra:complete:%s", id);
	const bool is = reply->element[1]->integer > 0;

	freeReplyObject(reply);
	return is;
}

START_TEST(a_watch_lasts_through_a_connection_that_is_cut)
{
	char id[FLOWRRA_ID_SIZE];
	struct told told = {.n = 0};
	struct flowrra_watch *watch;
	int fd, i;

	begin(false);
	fd = flowrra_client_fd(client, &error);
	submit_one(id);
	ck_assert_int_eq(
	    flowrra_watch(client, id, on_told, &told, &watch, &error), 0);
	/* Nothing but this loop brings the subscription on its way. */
	while (!is_subscribed(id))
		turn(fd, 20);
	for (i = 0; i < 3; i++) {
		redis_server_run(server, "CLIENT KILL TYPE normal");
		redis_server_run(server, "CLIENT KILL TYPE pubsub");
		while (turn(fd, 300))
			;
	}
	ck_assert_uint_eq(told.n, 0);
	ck_assert_int_eq(flowrra_cancel(other, id, &error), 0);
	turn_until(fd, &told.n, 1);
	ck_assert_str_eq(told.reason, "cancelled");
	flowrra_unwatch(watch);
	end();
}
END_TEST

START_TEST(a_server_that_is_away_is_told_in_time)
{
	struct told told = {.n = 0};
	struct flowrra_watch *watch;
	int64_t begun;
	int fd;

	snprintf(url, sizeof(url), "unix:///nowhere/redis.sock");
	client = open_url();
	fd = flowrra_client_fd(client, &error);
	begun = clock_mono_ms();
	ck_assert_int_eq(
	    flowrra_watch(client, "x", on_told, &told, &watch, &error), 0);
	turn_until(fd, &told.n, 1);
	ck_assert_int_eq(told.code, FLOWRRA_UNAVAILABLE);
	ck_assert_int_ge(clock_mono_ms() - begun, 400);
	ck_assert_int_le(clock_mono_ms() - begun, 5000);
	flowrra_unwatch(watch);
	flowrra_close(client);
}
END_TEST

START_TEST(what_is_not_watched_any_more_is_not_told)
{
	char id[FLOWRRA_ID_SIZE];
	struct told told = {.n = 0}, missing = {.n = 0};
	struct flowrra_watch *watch, *none;
	int fd;

	begin(_i == 1);
	ck_assert_int_eq(
	    flowrra_watch(client, "x", on_told, &told, &watch, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_USAGE);
	ck_assert_int_eq(flowrra_client_dispatch(client, &error), -1);
	fd = flowrra_client_fd(client, &error);
	ck_assert_int_eq(
	    flowrra_watch(client, "a b", on_told, &told, &watch, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	submit_one(id);
	ck_assert_int_eq(
	    flowrra_watch(client, id, on_told, &told, &watch, &error), 0);
	ck_assert_int_eq(
	    flowrra_watch(client, "none", on_told, &missing, &none, &error), 0);
	turn_until(fd, &missing.n, 1);
	ck_assert_int_eq(missing.code, FLOWRRA_NOT_FOUND);
	flowrra_unwatch(none);
	flowrra_unwatch(watch);
	ck_assert_int_eq(flowrra_cancel(other, id, &error), 0);
	ck_quiet(fd);
	ck_assert_uint_eq(told.n, 0);
	/* One that has ended, but was not told of. */
	submit_one(id);
	ck_assert_int_eq(flowrra_cancel(other, id, &error), 0);
	ck_assert_int_eq(
	    flowrra_watch(client, id, on_told, &told, &watch, &error), 0);
	flowrra_unwatch(watch);
	ck_quiet(fd);
	ck_assert_uint_eq(told.n, 0);
	end();
}
END_TEST

START_TEST(a_child_leaves_what_its_parent_watches_alone)
{
	char id[FLOWRRA_ID_SIZE];
	struct told told = {.n = 0};
	struct flowrra_watch *watch;
	int fd, status;
	pid_t pid;

	begin(_i == 1);
	fd = flowrra_client_fd(client, &error);
	submit_one(id);
	ck_assert_int_eq(
	    flowrra_watch(client, id, on_told, &told, &watch, &error), 0);
	ck_quiet(fd);
	if ((pid = fork()) == 0) {
		if (flowrra_client_dispatch(client, &error) != -1 ||
		    error.code != FLOWRRA_USAGE ||
		    flowrra_client_fd(client, &error) != -1)
			_exit(1);
		flowrra_unwatch(watch);
		flowrra_close(client);
		_exit(told.n == 0 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(flowrra_cancel(other, id, &error), 0);
	turn_until(fd, &told.n, 1);
	ck_assert_str_eq(told.reason, "cancelled");
	flowrra_unwatch(watch);
	end();
}
END_TEST

SUITE("client-foreign")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_program_with_a_loop_of_its_own_submits_and_waits, 0, 2);
	TEST_LOOP(a_loop_of_libevent_has_it, 0, 2);
	TEST(a_watch_lasts_through_a_connection_that_is_cut);
	TEST(a_server_that_is_away_is_told_in_time);
	TEST_LOOP(what_is_not_watched_any_more_is_not_told, 0, 2);
	TEST_LOOP(a_child_leaves_what_its_parent_watches_alone, 0, 2);
}
