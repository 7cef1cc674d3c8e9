/* SPDX-License-Identifier: MIT */
/* What the tests of the client share. */
#include "client/fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis.h>

#include "redis_server.h"
#include "suite.h"

struct flowrra_client *
fixture_open(struct redis_server *server, const char *setting)
{
	const char *settings[] = {"broker.socket_timeout=0.5",
				  "backend.socket_timeout=0.5", setting, NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;

	options.config_file = "/dev/null";
	options.settings = settings;
	options.broker_url = redis_server_unix_url(server);
	options.backend_url = "";
	ck_assert_msg(flowrra_open(&options, &client, &error) == 0, "%s",
		      error.message);
	return client;
}

void
fixture_register(struct redis_server *server, const char *name,
		 const char *entry)
{
	redis_server_run(server, "HSET flowrra:registry %s %s", name, entry);
}

void
fixture_submit(struct flowrra_client *client, char id[FLOWRRA_ID_SIZE])
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_error error;

	request.name = "add";
	request.args = "[2, 3]";
	ck_assert_msg(flowrra_submit(client, &request, id, &error) == 0, "%s",
		      error.message);
}

long long
fixture_integer(struct redis_server *server, const char *command,
		const char *argument)
{
	redisReply *reply =
	    argument == NULL
		? redis_server_command(server, "%s", command)
		: redis_server_command(server, "%s %s", command, argument);
	long long integer = reply->integer;

	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	return integer;
}

json_t *
fixture_json(struct redis_server *server, const char *command,
	     const char *argument)
{
	redisReply *reply =
	    redis_server_command(server, "%s %s", command, argument);
	json_t *json = NULL;

	if (reply->type == REDIS_REPLY_STRING)
		json = json_loads(reply->str, 0, NULL);
	freeReplyObject(reply);
	return json;
}

void
fixture_finish(struct redis_server *server, const char *id, const char *status,
	       const char *result)
{
	bool failed = strcmp(status, "failed") == 0;
	char *record;

	ck_assert_int_gt(
	    asprintf(&record,
		     "{\"task_id\": \"%s\", \"status\": \"%s\", "
		     "\"task_name\": \"add\", \"result\": %s, \"error\": %s, "
		     "\"submitted_at\": \"2026-11-23T11:53:08.846827\", "
		     "\"started_at\": null, \"finished_at\": null, "
		     "\"retries\": 1, \"args\": [2, 3], \"kwargs\": {}}",
		     id, status, failed ? "null" : result,
		     failed ? result : "null"),
	    0);
	redis_server_run(server, "SET flowrra:task:%s %s", id, record);
	redis_server_run(server, "PUBLISH flowrra:complete:%s done", id);
	free(record);
}

void
fixture_await_waiter(struct redis_server *server, const char *id)
{
	long long n = 0;
	redisReply *reply;

	/* The test's own deadline ends it if nobody comes. */
	while (n == 0) {
		reply = redis_server_command(
		    server, "PUBSUB NUMSUB flowrra:complete:%s", id);
		n = reply->element[1]->integer;
		freeReplyObject(reply);
		if (n == 0)
			usleep(1000);
	}
}
