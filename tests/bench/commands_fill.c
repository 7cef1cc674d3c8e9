/* SPDX-License-Identifier: MIT */
/* Redis servers full of tasks of one kind or another. */
#include "commands_fill.h"

#include <err.h>
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_server.h"

#define MIB (1 << 20)
const struct commands_scene commands_scenes[COMMANDS_SCENES] = {
    {.name = "million",
     .waiting = 1000000,
     .delayed = 100000,
     .dead = 100000,
     .finished = 1000000,
     .in_flight = 1000,
     .names = 100},
    {.name = "large",
     .waiting = 540,
     .delayed = 540,
     .dead = 540,
     .in_flight = 540,
     .size = MIB},
    {.name = "levels",
     .waiting = 30000,
     .delayed = 10000,
     .dead = 1000,
     .levels = 10000},
    {.name = "hostile",
     .waiting = 100,
     .delayed = 100,
     .dead = 100,
     .in_flight = 100,
     .size = MIB,
     .hostile = true},
    {.name = "names", .listed = 1000000},
    {.name = "queues", .waiting = 1000, .dead = 1000, .queues = 1000},
    {.name = "workers",
     .waiting = 1000,
     .workers = 1000,
     .names = 1000,
     .in_flight = 1000},
    {.name = "recall", .recall = true, .delayed = 100000, .size = 60},
    {.name = "recall-large",
     .recall = true,
     .delayed = 10000,
     .size = 256 << 10},
    {.name = "recall-odd", .recall = true, .delayed = 10000, .odd = 16000},
};

/* ARGV: the first number, how many, bytes of the argument, levels, and what else a
 * text below reads. A task and a record, as clients write them. */
#define PROLOGUE                                                               \
	"local first, n, size, levels = tonumber(ARGV[1]), "                   \
	"tonumber(ARGV[2]), "                                                  \
	"tonumber(ARGV[3]), tonumber(ARGV[4]) "                                \
	"local last, more = first + n - 1, ARGV[5] "                           \
	"local q, k = 'flowrra:queue:io', '{flowrra:queue:io}:' "              \
	"local hostile = ARGV[6] == '1' "                                      \
	"local pad = hostile and '\",' .. string.rep('\"\",', size / 3) .. "   \
	"'\"' "                                                                \
	"or string.rep('x', size) "                                            \
	"local function written(id, level) return string.format("              \
	"'{\"id\":\"%s\",\"name\":\"demo.noop\",\"args\":[\"hello\",\"', id) " \
	".. pad .. string.format('\"],\"kwargs\":{},\"max_retries\":3,' .. "   \
	"'\"retry_delay\":1.0,\"current_retry\":0,\"priority\":%d,' .. "       \
	"'\"cpu_bound\":false,\"queue\":\"io\",\"submitted_at\":' .. "         \
	"'\"2026-11-23T10:00:00.000000+00:00\"}', level) end "                 \
	"local function task(id, level) local text = written(id, level) "      \
	"if hostile then text = string.gsub(string.gsub(text, '\"id\"', "      \
	"'\"\\\\u0069d\"', 1), '\"priority\"', '\"\\\\u0070riority\"', 1) "    \
	"end "                                                                 \
	"return text end "                                                     \
	"local function record(id) return '{\"task_id\":\"' .. id .. "         \
	"'\",\"status\":\"success\",\"task_name\":\"demo.noop\",\"result\":'"  \
	".. '{\"sum\":1},\"error\":null,\"submitted_at\":' .. "                \
	"'\"2026-11-23T10:00:00.000000+00:00\",\"started_at\":null,' .. "      \
	"'\"finished_at\":null,\"retries\":0,\"args\":[\"hello\"],' .. "       \
	"'\"kwargs\":{},\"queue\":\"io\",\"worker\":\"host:1\"}' end "

#define WAITING                                                                \
	"for i = first, last do "                                              \
	"local level = levels > 0 and i % levels + 1 or 0 "                    \
	"if level > 0 then redis.call('ZADD', k .. 'levels', level, level) "   \
	"end "                                                                 \
	"redis.call('LPUSH', level > 0 and k .. 'p:' .. level or q, "          \
	"task('t' .. i, level)) end "                                          \
	"redis.call('SADD', 'flowrra:queues', 'io')"
#define DELAYED                                                                \
	"for i = first, last do redis.call('ZADD', k .. 'delayed', "           \
	"1900000000000 + i, task('l' .. i, levels > 0 and i % levels + 1 or "  \
	"0))"                                                                  \
	" end"
#define DEAD                                                                   \
	"for i = first, last do local id = 'd' .. i "                          \
	"redis.call('ZADD', k .. 'dead', 1790000000000 + i, id) "              \
	"redis.call('HSET', k .. 'dead:tasks', id, task(id, 0)) "              \
	"redis.call('HSET', k .. 'dead:info', id, '{\"reason\":\"failed\"}') " \
	"end"
#define IN_FLIGHT                                                              \
	"for i = first, last do redis.call('LPUSH', k .. 'inflight:' .. more " \
	".. '#' .. (1 + i % 16), task(more .. i, 0)) end"
#define FINISHED                                                               \
	"for i = first, last do "                                              \
	"redis.call('SET', 'flowrra:task:f' .. i, record('f' .. i)) "          \
	"redis.call('LPUSH', 'flowrra:completed', 'f' .. i) end "              \
	"redis.call('LTRIM', 'flowrra:completed', 0, 99999) "                  \
	"redis.call('HINCRBY', 'flowrra:stats', 'succeeded', n)"
#define QUEUES                                                                 \
	"for i = first, last do local name = 'q' .. i "                        \
	"redis.call('SADD', 'flowrra:queues', name) "                          \
	"for j = 1, 5 do redis.call('LPUSH', 'flowrra:queue:' .. name, "       \
	"task(name .. j, 0)) end end"
#define WORKERS                                                                \
	"local now = redis.call('TIME')[1] * 1000 "                            \
	"for i = first, last do local id = 'host:' .. i "                      \
	"redis.call('ZADD', 'flowrra:workers', now, id) "                      \
	"redis.call('SET', 'flowrra:worker:' .. id, '{\"token\":\"x\",' .. "   \
	"'\"id\":\"' .. id .. '\",\"host\":\"host\",\"pid\":1,' .. "           \
	"'\"state\":\"running\",\"queues\":[\"io\"]}', 'EX', 3600) "           \
	"redis.call('LPUSH', k .. 'inflight:' .. id .. '#1', task(id, 0)) end"
#define NAMES                                                                  \
	"local till = redis.call('TIME')[1] * 1000 + 3600000 "                 \
	"for i = first, last do local name = 'app.task' .. i "                 \
	"redis.call('HSET', 'flowrra:registry', name, "                        \
	"'{\"cpu_bound\":false,\"max_retries\":3,\"queue\":\"io\"}') "         \
	"redis.call('ZADD', k .. 'served', till, name) end"

#define LISTED                                                                 \
	"for i = first, last do redis.call('SADD', 'flowrra:queues', "         \
	"'queue' .. i) redis.call('HSET', 'flowrra:registry', 'old.task' .. "  \
	"i, '{\"cpu_bound\":false,\"max_retries\":3,\"queue\":\"io\"}') end"

#define PUT_BACK                                                               \
	"local odd = tonumber(more) "                                          \
	"local words = ',\"unknown\":3,\"unknown_since\":1790000000}' "        \
	"if odd > 0 then words = ',\"unknown\":3,\"priority\":[1' .. "         \
	"string.rep(',1', odd / 2) .. ']}' end "                               \
	"local due = redis.call('TIME')[1] * 1000 + 60000 "                    \
	"for i = first, last do local t = task('u' .. i, 0) "                  \
	"if i % 2 == 0 then t = string.gsub(string.sub(t, 1, -2), "            \
	"'demo.noop', 'app.task0', 1) .. words end "                           \
	"redis.call('ZADD', k .. 'delayed', due + i % 100000, t) end"

/* Of one call: a script holds up the server, which nobody else uses, but the
 * arguments and replies stay small. */
#define A_CALL 100000

static void
fill(struct redis_server *server, const struct commands_scene *s,
     const char *text, long n, size_t size, long levels, const char *more)
{
	redisReply *reply;
	long first, some;

	for (first = 0; first < n; first += some) {
		some = n - first < A_CALL ? n - first : A_CALL;
		reply = redis_server_command(
		    server, "EVAL %s 0 %ld %ld %ld %ld %s %d", text, first,
		    some, (long)size, levels, more, s->hostile);
		if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
			errx(71, "filling: %s",
			     reply != NULL ? reply->str : "no answer");
		freeReplyObject(reply);
	}
}

void
commands_refill(struct redis_server *server, const struct commands_scene *s)
{
	fill(server, s, PROLOGUE DEAD, s->dead, s->size, s->levels, "");
	redis_server_run(server, "EVAL %s 0 {flowrra:queue:io}:inflight:%s#",
			 "for i = 1, 16 do redis.call('DEL', ARGV[1] .. i) end",
			 COMMANDS_DEAD);
	fill(server, s, PROLOGUE IN_FLIGHT, s->in_flight, s->size, 0,
	     COMMANDS_DEAD);
}

void
commands_fill(struct redis_server *server, const struct commands_scene *s)
{
	fill(server, s, PROLOGUE WAITING, s->waiting, s->size, s->levels, "");
	if (s->recall)
		return;
	fill(server, s, PROLOGUE DELAYED, s->delayed, s->size, s->levels, "");
	fill(server, s, PROLOGUE FINISHED, s->finished, 0, 0, "");
	fill(server, s, PROLOGUE IN_FLIGHT, s->in_flight, s->size, 0,
	     COMMANDS_WORKER);
	fill(server, s, PROLOGUE QUEUES, s->queues, 0, 0, "");
	fill(server, s, PROLOGUE WORKERS, s->workers, 0, 0, "");
	fill(server, s, PROLOGUE NAMES, s->names, 0, 0, "");
	fill(server, s, PROLOGUE LISTED, s->listed, 0, 0, "");
	commands_refill(server, s);
}

void
commands_put_back(struct redis_server *server, const struct commands_scene *s)
{
	char odd[32];

	snprintf(odd, sizeof(odd), "%zu", s->odd);
	redis_server_run(server, "DEL {flowrra:queue:io}:delayed");
	fill(server, s, PROLOGUE PUT_BACK, s->delayed, s->size, 0, odd);
	redis_server_run(server, "ZADD {flowrra:queue:io}:unknown 1 %s",
			 COMMANDS_NAME);
}

void
commands_make_due(struct redis_server *server, long n)
{
	redis_server_run(
	    server, "EVAL %s 1 {flowrra:queue:io}:delayed %ld",
	    "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)) "
	    "do redis.call('ZADD', KEYS[1], 1, m) end",
	    n);
}

static long
commands_scale(long n)
{
	const char *text = getenv("COMMANDS_SCALE");
	const long percent = text != NULL ? strtol(text, NULL, 10) : 100;

	if (percent < 1 || percent > 1000)
		errx(64, "COMMANDS_SCALE is a percentage, 1 to 1000");
	return n * percent / 100;
}

struct commands_scene
commands_scaled(const struct commands_scene *whole)
{
	struct commands_scene scene = *whole;

	scene.waiting = commands_scale(scene.waiting);
	scene.delayed = commands_scale(scene.delayed);
	scene.dead = commands_scale(scene.dead);
	scene.finished = commands_scale(scene.finished);
	scene.levels = commands_scale(scene.levels);
	scene.queues = commands_scale(scene.queues);
	scene.workers = commands_scale(scene.workers);
	scene.in_flight = commands_scale(scene.in_flight);
	scene.listed = commands_scale(scene.listed);
	return scene;
}
