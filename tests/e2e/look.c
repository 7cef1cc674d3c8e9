/* SPDX-License-Identifier: MIT */
/* Looking at tasks and records of a world, as they lie in Redis. */
#include "e2e/look.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- replies ------------------------------------------------------------- */

long long
reply_integer(struct redisReply *reply)
{
	long long n = reply->integer;

	ck_assert_msg(reply->type == REDIS_REPLY_INTEGER,
		      "Redis answers no number: %s", reply->str);
	freeReplyObject(reply);
	return n;
}

char *
reply_text(struct world *w, struct redisReply *reply)
{
	char *text = NULL;

	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "Redis answers: %s",
		      reply->str);
	if (reply->type == REDIS_REPLY_STRING ||
	    reply->type == REDIS_REPLY_STATUS)
		text = world_text(w, "%s", reply->str);
	freeReplyObject(reply);
	return text;
}

/* --- records ------------------------------------------------------------- */

const char *
record(struct world *w, const char *id)
{
	return redis_text(w, world_backend(w), "GET flowrra:task:%s", id);
}

static const json_t *
walk(const json_t *value, char *path)
{
	char *save, *step;

	for (step = strtok_r(path, ".", &save); step != NULL;
	     step = strtok_r(NULL, ".", &save))
		value = json_object_get(value, step);
	return value;
}

const char *
json_field(struct world *w, const char *json, const char *path)
{
	json_error_t error;
	json_t *root = json_loads(json, JSON_DECODE_ANY, &error);
	const json_t *value;
	const char *text = "";

	ck_assert_msg(root != NULL, "not JSON (%s): %s", error.text, json);
	value = walk(root, world_text(w, "%s", path));
	if (json_is_string(value))
		text = world_text(w, "%s", json_string_value(value));
	else if (value != NULL)
		text = world_keep(
		    w, json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY |
					     JSON_SORT_KEYS |
					     JSON_REAL_PRECISION(15)));
	json_decref(root);
	return text;
}

const char *
field(struct world *w, const char *id, const char *name)
{
	const char *json = record(w, id);

	return json != NULL ? json_field(w, json, name) : "";
}

bool
has(struct world *w, const char *id, const char *name, const char *value)
{
	return strcmp(field(w, id, name), value) == 0;
}

void
wait_status(struct world *w, const char *id, const char *status)
{
	const int64_t deadline = now_ms() + PATIENCE_MS;
	unsigned int turn = 0;

	while (!has(w, id, "status", status))
		ck_assert_msg(wait_a_moment(deadline, &turn),
			      "task %s does not become %s: %s", id, status,
			      record(w, id));
}

void
expect_untouched(struct world *w, const char *id)
{
	wait_status(w, id, "success");
	ck_field(w, id, "attempts", "1");
	ck_field(w, id, "retries", "0");
}

/* --- queues -------------------------------------------------------------- */

void
push(struct world *w, const char *bytes)
{
	push_bytes(w, bytes, strlen(bytes));
}

void
push_bytes(struct world *w, const void *p, size_t len)
{
	redis_server_run(world_redis(w), "LPUSH flowrra:queue:io %b", p, len);
}

long long
waiting(struct world *w, const char *queue)
{
	return redis_integer(world_redis(w), "LLEN flowrra:queue:%s", queue);
}

long long
in_flight(struct world *w, const char *queue)
{
	static const char script[] =
	    "local n = 0 "
	    "for _, k in ipairs(redis.call('KEYS', "
	    "'{flowrra:queue:' .. ARGV[1] .. '}:inflight:*')) do "
	    "n = n + redis.call('LLEN', k) end return n";

	return redis_integer(world_redis(w), "EVAL %s 0 %s", script, queue);
}

long long
delayed(struct world *w, const char *queue)
{
	return redis_integer(world_redis(w), "ZCARD {flowrra:queue:%s}:delayed",
			     queue);
}

long long
dead(struct world *w, const char *queue)
{
	return redis_integer(world_redis(w), "ZCARD {flowrra:queue:%s}:dead",
			     queue);
}

char *
dead_task(struct world *w, const char *queue, const char *member)
{
	return redis_text(w, world_redis(w),
			  "HGET {flowrra:queue:%s}:dead:tasks %s", queue,
			  member);
}

char *
dead_info(struct world *w, const char *queue, const char *member)
{
	return redis_text(w, world_redis(w),
			  "HGET {flowrra:queue:%s}:dead:info %s", queue,
			  member);
}

char *
the_delayed(struct world *w, const char *queue, double *ret_score)
{
	redisReply *reply = redis_server_command(
	    world_redis(w), "ZRANGE {flowrra:queue:%s}:delayed 0 -1 WITHSCORES",
	    queue);
	char *task;

	ck_assert_uint_eq(reply->elements, 2);
	task = world_text(w, "%s", reply->element[0]->str);
	if (ret_score != NULL)
		*ret_score = strtod(reply->element[1]->str, NULL);
	freeReplyObject(reply);
	return task;
}

double
redis_now_ms(struct world *w)
{
	redisReply *reply = redis_server_command(world_redis(w), "TIME");
	double ms = strtod(reply->element[0]->str, NULL) * 1000 +
		    floor(strtod(reply->element[1]->str, NULL) / 1000);

	freeReplyObject(reply);
	return ms;
}
