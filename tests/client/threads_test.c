/* SPDX-License-Identifier: MIT */
/* One client, many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

#define THREADS 8
#define TASKS 60
#define ENTRY "{\"queue\":\"io\",\"cpu_bound\":false}"

static struct redis_server *server;
static struct flowrra_client *client;
static atomic_int waited;

static void
begin(void)
{
	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = fixture_open(server, NULL);
}

static void
end(void)
{
	flowrra_close(client);
	redis_server_stop(server);
}

/* Takes tasks and finishes them, as many as all threads submit. */
static void *
work(void *arg)
{
	int n = 0;
	json_t *task;

	while (n < THREADS * TASKS) {
		task = fixture_json(server, "RPOP", "flowrra:queue:io");
		if (task == NULL) {
			usleep(200);
			continue;
		}
		fixture_finish(server,
			       json_string_value(json_object_get(task, "id")),
			       "success", "5");
		json_decref(task);
		n++;
	}
	return NULL;
}

static void *
submit_and_wait(void *arg)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	int i;

	for (i = 0; i < TASKS; i++) {
		fixture_submit(client, id);
		ck_assert_msg(flowrra_wait(client, id, -1, &record, &error) ==
				  0,
			      "%s", error.message);
		ck_assert_str_eq(record->id, id);
		flowrra_record_free(record);
		atomic_fetch_add(&waited, 1);
	}
	return NULL;
}

START_TEST(many_threads_submit_and_wait_on_one_client)
{
	pthread_t worker, threads[THREADS];
	int i;

	begin();
	pthread_create(&worker, NULL, work, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, submit_and_wait, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(worker, NULL);
	ck_assert_int_eq(atomic_load(&waited), THREADS * TASKS);
	end();
}
END_TEST

static void *
wait_for_it(void *arg)
{
	struct flowrra_record *record;

	if (flowrra_wait(client, arg, -1, &record, NULL) == 0)
		flowrra_record_free(record);
	return NULL;
}

START_TEST(a_thread_that_waits_holds_up_no_other)
{
	char first[FLOWRRA_ID_SIZE], id[FLOWRRA_ID_SIZE];
	pthread_t waiter;
	int i;

	begin();
	fixture_submit(client, first);
	pthread_create(&waiter, NULL, wait_for_it, first);
	fixture_await_waiter(server, first);
	for (i = 0; i < 100; i++)
		fixture_submit(client, id);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 101);
	fixture_finish(server, first, "success", "1");
	pthread_join(waiter, NULL);
	end();
}
END_TEST

/* The leader's own wait ends first: somebody else must take over. */
START_TEST(the_lead_passes_to_those_who_still_wait)
{
	char ids[THREADS][FLOWRRA_ID_SIZE];
	pthread_t threads[THREADS];
	int i;

	begin();
	for (i = 0; i < THREADS; i++) {
		fixture_submit(client, ids[i]);
		pthread_create(&threads[i], NULL, wait_for_it, ids[i]);
		fixture_await_waiter(server, ids[i]);
	}
	for (i = 0; i < THREADS; i++) {
		fixture_finish(server, ids[i], "success", "1");
		pthread_join(threads[i], NULL);
	}
	end();
}
END_TEST

SUITE("client-threads")
{
	TEST(many_threads_submit_and_wait_on_one_client);
	TEST(a_thread_that_waits_holds_up_no_other);
	TEST(the_lead_passes_to_those_who_still_wait);
}
