/* SPDX-License-Identifier: MIT */
/*
 * Clients and fork(): the parent has one that a thread of its own uses all the
 * time, so that forks come while locks are held and transactions are open.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

#define CHILDREN 30
/* What is told of a child by its exit status. */
#define WORKED 0
#define REFUSED 10
#define FAILED 11

enum { SQLITE, REDIS, N_KINDS };

static struct redis_server *server;
static struct flowrra_client *client;
static char *url;
static atomic_bool stop;
static atomic_uint sent;

static struct flowrra_client *
open_client(struct flowrra_error *error)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *c;

	options.broker_url = url;
	return flowrra_open(&options, &c, error) == 0 ? c : NULL;
}

static int
submit_to(struct flowrra_client *c, struct flowrra_error *error)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "add";
	request.queue = "io";
	request.force = true;
	return flowrra_submit(c, &request, NULL, error);
}

static void
begin(int kind)
{
	struct flowrra_error error;

	server = redis_server_start(NULL);
	if (kind == REDIS)
		url = strdup(redis_server_url(server));
	else
		ck_assert_int_gt(asprintf(&url, "sqlite://%s/fork.db",
					  redis_server_dir(server)),
				 0);
	client = open_client(&error);
	ck_assert_msg(client != NULL, "%s", error.message);
	ck_assert_msg(submit_to(client, &error) == 0, "%s", error.message);
}

static void
end(void)
{
	redis_server_stop(server);
	free(url);
}

static void *
keep_submitting(void *arg)
{
	struct flowrra_error error;

	while (!stop) {
		if (submit_to(client, &error) != 0)
			ck_abort_msg("%s", error.message);
		sent++;
	}
	return NULL;
}

/* A client of its own, beside the one that it has inherited. */
static int
be_child(void)
{
	struct flowrra_error error;
	struct flowrra_client *own;
	int i, status = WORKED;

	alarm(20);
	if (submit_to(client, &error) == 0 || error.code != FLOWRRA_USAGE)
		return FAILED;
	own = open_client(&error);
	flowrra_close(client);
	if (own == NULL)
		return error.code == FLOWRRA_USAGE &&
			       strstr(error.message, "fork()") != NULL
			   ? REFUSED
			   : FAILED;
	for (i = 0; i < 5 && status == WORKED; i++)
		if (submit_to(own, &error) != 0)
			status = FAILED;
	flowrra_close(own);
	return status;
}

static int
fork_child(void)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(be_child());
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

START_TEST(children_neither_hang_nor_harm_the_parents_store)
{
	const int expected = _i == SQLITE ? REFUSED : WORKED;
	struct flowrra_error error;
	unsigned int before;
	pthread_t thread;
	int i;

	begin(_i);
	ck_assert_int_eq(pthread_create(&thread, NULL, keep_submitting, NULL),
			 0);
	for (i = 0; i < CHILDREN; i++) {
		/* Each one while the thread is at work. */
		for (before = sent; sent == before;)
			usleep(100);
		ck_assert_int_eq(fork_child(), expected);
	}
	stop = true;
	pthread_join(thread, NULL);
	ck_assert_msg(submit_to(client, &error) == 0, "%s", error.message);
	flowrra_close(client);
	end();
}
END_TEST

/* The ways that the manual names: no client is open at the fork. */
START_TEST(a_child_may_open_what_the_parent_has_closed)
{
	struct flowrra_error error;
	int status;
	pid_t pid;

	begin(_i);
	flowrra_close(client);
	if ((pid = fork()) == 0) {
		client = open_client(&error);
		status = client != NULL && submit_to(client, &error) == 0;
		flowrra_close(client);
		_exit(status ? WORKED : FAILED);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	client = open_client(&error);
	ck_assert_msg(submit_to(client, &error) == 0, "%s", error.message);
	flowrra_close(client);
	end();
}
END_TEST

/* The parent's file stays as it is: its wake socket and its descriptors. */
START_TEST(a_child_that_closes_takes_nothing_away)
{
	char path[300];
	struct stat st;

	begin(SQLITE);
	snprintf(path, sizeof(path), "%s/fork.db-wal",
		 redis_server_dir(server));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(fork_child(), REFUSED);
	/* The last connection of a file would remove its log. */
	ck_assert_int_eq(stat(path, &st), 0);
	flowrra_close(client);
	end();
}
END_TEST

SUITE("client-fork")
{
	SUITE_TIMEOUT(120);
	/* A sanitizer's own heap does not survive a fork beside threads. */
	if (!SANITIZED)
		TEST_LOOP(children_neither_hang_nor_harm_the_parents_store, 0,
			  N_KINDS);
	TEST_LOOP(a_child_may_open_what_the_parent_has_closed, 0, N_KINDS);
	TEST(a_child_that_closes_takes_nothing_away);
}
