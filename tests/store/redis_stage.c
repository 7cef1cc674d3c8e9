/* SPDX-License-Identifier: MIT */
#include "store/redis_stage.h"

#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "suite.h"

long long
stage_number(const struct stage *w, const char *command)
{
	redisReply *reply = redis_server_command(w->server, command);
	long long n = reply->integer;

	ck_assert(reply->type == REDIS_REPLY_INTEGER ||
		  reply->type == REDIS_REPLY_STRING ||
		  reply->type == REDIS_REPLY_NIL);
	if (reply->type == REDIS_REPLY_STRING)
		n = atoll(reply->str);
	freeReplyObject(reply);
	return n;
}

bool
stage_has(const struct stage *w, const char *command, const char *text)
{
	redisReply *reply = redis_server_command(w->server, command);
	bool yes = reply->str != NULL && strstr(reply->str, text) != NULL;

	freeReplyObject(reply);
	return yes;
}

int
stage_info(const struct stage *w, const char *section, const char *label)
{
	redisReply *reply = redis_server_command(w->server, "INFO %s", section);
	const char *at = strstr(reply->str, label);
	const int n = at != NULL ? atoi(at + strlen(label)) : 0;

	freeReplyObject(reply);
	return n;
}

int
stage_calls(const struct stage *w, const char *command)
{
	char label[64];

	snprintf(label, sizeof(label), "cmdstat_%s:calls=", command);
	return stage_info(w, "commandstats", label);
}

size_t
stage_clients(const struct stage *w, const char *part)
{
	redisReply *reply = redis_server_command(w->server, "CLIENT LIST");
	const char *at = reply->str;
	size_t n = 0;

	for (; (at = strstr(at, part)) != NULL; at++)
		n++;
	freeReplyObject(reply);
	return n;
}

static void
stage_on_put_to(struct results_put *put)
{
	++*(unsigned int *)put->arg;
}

void
backend_put_to(struct backend *r, const char *id, const char *reply_to,
	       unsigned int *stored)
{
	static struct results_put puts[8];
	static char records[8][128];
	static unsigned int n;
	const unsigned int i = n++ % 8;

	snprintf(records[i], sizeof(records[i]),
		 "{\"task_id\":\"%s\",\"status\":\"success\"}", id);
	puts[i] = (struct results_put){.id = slice_of(id),
				       .record = slice_of(records[i]),
				       .final = true,
				       .reply_to = slice_of(reply_to),
				       .ttl_s = 60,
				       .on_done = stage_on_put_to,
				       .arg = stored};
	results_put(r->results, &puts[i]);
}
