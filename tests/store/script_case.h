/* SPDX-License-Identifier: MIT */
/*
 * One call of a Redis script by itself, over a server of the test's own.
 *
 *	static const struct script_case t = {
 *	    SCRIPT_MARK, {K("fence:w")}, {"9", ""}, {"SET " K("fence:w") " 7"}};
 *	script_server_open();
 *	script_make_world(&t);
 *	reply = script_call(&t);
 *	redis_server_stop(script_server);
 */
#ifndef TESTS_STORE_SCRIPT_CASE_H
#define TESTS_STORE_SCRIPT_CASE_H

#include <hiredis.h>

#include "redis_server.h"
#include "store/redis/scripts.h"
#include "suite.h"

#define KEYS_MAX 24
#define ARGS_MAX 24
/* A key that counts by being there, whatever it is; or that is replaced. */
#define ANY(key) "*" key

#define Q "flowrra:queue:io"
#define K(suffix) "{flowrra:queue:io}:" suffix
#define TASK "{\"id\":\"t\"}"
/* Before a task in a lane. */
#define STAMP "0000000000000001"
#define TOMB "{\"withdrawn\":true}"

struct script_case {
	enum rscript script;
	const char *keys[KEYS_MAX];
	const char *args[ARGS_MAX];
	/* Commands, words with spaces between, before the call. */
	const char *world[8];
};

extern struct redis_server *script_server;
/* Starts it, with DEBUG. */
void script_server_open(void);

/* Empties the server, and carries out what the case has for that. */
void script_make_world(const struct script_case *t);
/* One command of words, which must not fail; freeReplyObject() the answer. */
redisReply *script_command(const char *line);
/* The call, as this user; NULL: as the default one. */
redisReply *script_call_as(const struct script_case *t, const char *user);
redisReply *script_call(const struct script_case *t);

#endif
