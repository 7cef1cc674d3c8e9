/* SPDX-License-Identifier: MIT */
/* Each call has a connection of its own: a test may change the rights of the one
 * before. */
#include "store/script_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_server *script_server;

void
script_server_open(void)
{
	static const char *const args[] = {"--enable-debug-command", "yes",
					   NULL};
	const struct redis_server_options options = {.args = args};

	script_server = redis_server_start(&options);
}

redisReply *
script_command(const char *line)
{
	char *text = strdup(line), *rest = text, *word;
	const char *argv[16];
	redisReply *reply;
	redisContext *c;
	int argc = 0;

	while ((word = strsep(&rest, " ")) != NULL)
		argv[argc++] = word;
	c = redisConnectUnix(redis_server_unix_url(script_server) +
			     strlen("unix://"));
	ck_assert_int_eq(c->err, 0);
	reply = redisCommandArgv(c, argc, argv, NULL);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", line,
		      reply->str);
	redisFree(c);
	free(text);
	return reply;
}

redisReply *
script_call_as(const struct script_case *t, const char *user)
{
	const char *argv[3 + KEYS_MAX + ARGS_MAX] = {"EVAL",
						     rscripts[t->script].text};
	char n[8];
	redisReply *reply;
	redisContext *c;
	int argc = 3, i;

	for (i = 0; i < KEYS_MAX && t->keys[i] != NULL; i++)
		argv[argc++] = t->keys[i] + (t->keys[i][0] == '*');
	snprintf(n, sizeof(n), "%d", i);
	argv[2] = n;
	for (i = 0; i < ARGS_MAX && t->args[i] != NULL; i++)
		argv[argc++] = t->args[i];
	c = redisConnectUnix(redis_server_unix_url(script_server) +
			     strlen("unix://"));
	ck_assert_int_eq(c->err, 0);
	if (user != NULL)
		freeReplyObject(redisCommand(c, "AUTH %s password", user));
	reply = redisCommandArgv(c, argc, argv, NULL);
	redisFree(c);
	return reply;
}

redisReply *
script_call(const struct script_case *t)
{
	return script_call_as(t, NULL);
}

void
script_make_world(const struct script_case *t)
{
	size_t i;

	redis_server_run(script_server, "FLUSHALL");
	for (i = 0; i < 8 && t->world[i] != NULL; i++)
		freeReplyObject(script_command(t->world[i]));
}
