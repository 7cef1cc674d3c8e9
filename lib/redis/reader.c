/* SPDX-License-Identifier: MIT */
/*
 * Replies, parsed from the bytes that arrive. hiredis calls a function of ours
 * for each value that it meets; these lay the values out in the arena. Its own
 * functions would call malloc() for each value.
 */
#include "redis/reader.h"

#include <stdlib.h>
#include <string.h>

#include "loaded/hiredis.h"
#include "redis/arena.h"
#include "util/err.h"
#include "util/library.h"

LIBRARY("the protocol of Redis", hiredis);

/*
 * Members reserved before the first of them has arrived. A peer can announce
 * 2^32 members with a few bytes; it gets memory in proportion to what it has
 * sent, doubled as more arrives.
 */
#define FIRST_MEMBERS 64

/* hiredis 1.0 made the length a size_t and its stack one of pointers. */
#if HIREDIS_MAJOR >= 1
typedef size_t array_len;
#define TASK(hi) ((hi)->task[(hi)->ridx])
#else
typedef int array_len;
#define TASK(hi) (&(hi)->rstack[(hi)->ridx])
#endif

/* The limit of hiredis before 1.0, which has none: a peer could make it allocate
 * a level for every four bytes. No reply that we ask for is as deep. */
#define LEVELS_MAX 8

struct redis_reader {
	redisReader *hi;
	struct redis_arena arena;
	const char *refused; /* why a value of the reply was; NULL: none was */
	size_t max_reply;
	uint64_t fed;	 /* bytes taken in, ever */
	uint64_t begun;	 /* of these, before the reply that is being read */
	bool handed_out; /* the arena holds a reply that was handed out */
};

/* The old array stays in the arena until the reset. Since the capacity doubles,
 * all old arrays together are smaller than twice the newest. */
static struct redis_reply *
reader_grow(struct redis_arena *arena, struct redis_reply *array, size_t len)
{
	struct redis_reply *wider;
	size_t cap = array->len;

	/* Room is full when the length is 0, FIRST_MEMBERS, or that doubled
	 * over and over. */
	if (cap != 0 && (cap < FIRST_MEMBERS || (cap & (cap - 1)) != 0))
		return array->members;
	cap = cap == 0 ? FIRST_MEMBERS : cap * 2;
	if (cap > len)
		cap = len;
	wider = redis_arena_take(arena, cap * sizeof(*wider));
	if (wider == NULL)
		return NULL;
	if (array->len != 0)
		memcpy(wider, array->members, array->len * sizeof(*wider));
	array->members = wider;
	return wider;
}

/*
 * Types of RESP3 do not occur: only HELLO 3 turns them on, which we never send.
 * hiredis reads them from 1.0 on, and hands out a number in place of a value that
 * none of our functions took.
 */
static bool
reader_takes(struct redis_reader *reader, const redisReadTask *task)
{
	switch (task->type) {
	case REDIS_REPLY_ARRAY:
		if (reader->hi->ridx < LEVELS_MAX)
			return true;
		reader->refused = "arrays within arrays, too many of them";
		return false;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_INTEGER:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		return true;
	default:
		reader->refused = "a type of RESP3";
		return false;
	}
}

/* The reply that the value of `task` goes to; NULL when it is refused, and when
 * memory runs out. */
static struct redis_reply *
reader_place(const redisReadTask *task, enum redis_reply_type type)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *reply, *array;

	if (!reader_takes(reader, task))
		return NULL;
	if (task->parent == NULL) {
		reply = redis_arena_take(&reader->arena, sizeof(*reply));
	} else {
		array = task->parent->obj;
		if (reader_grow(&reader->arena, array,
				(size_t)task->parent->elements) == NULL)
			return NULL;
		reply = &array->members[array->len++];
	}
	if (reply != NULL)
		*reply = (struct redis_reply){.type = type};
	return reply;
}

/* Bulk strings, status lines and errors. The copy is needed: hiredis moves its
 * buffer when more bytes arrive. The NUL is for callers that print. */
static void *
make_string(const redisReadTask *task, char *p, size_t len)
{
	struct redis_reader *reader = task->privdata;
	enum redis_reply_type type =
	    task->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_STRING;
	struct redis_reply *reply = reader_place(task, type);
	char *bytes;

	if (reply == NULL)
		return NULL;
	bytes = redis_arena_take(&reader->arena, len + 1);
	if (bytes == NULL)
		return NULL;
	memcpy(bytes, p, len);
	bytes[len] = '\0';
	reply->bytes = bytes;
	reply->len = len;
	return reply;
}

static void *
make_array(const redisReadTask *task, array_len len)
{
	return reader_place(task, REDIS_ARRAY);
}

static void *
make_integer(const redisReadTask *task, long long n)
{
	struct redis_reply *reply = reader_place(task, REDIS_INTEGER);

	if (reply != NULL)
		reply->integer = n;
	return reply;
}

static void *
make_nil(const redisReadTask *task)
{
	return reader_place(task, REDIS_NIL);
}

#if HIREDIS_MAJOR >= 1
static void *
make_double(const redisReadTask *task, double x, char *p, size_t len)
{
	return reader_place(task, REDIS_NIL); /* which refuses its type */
}

static void *
make_bool(const redisReadTask *task, int x)
{
	return reader_place(task, REDIS_NIL); /* so here */
}
#endif

static void
reader_forget(void *reply)
{
	(void)reply; /* the arena has it */
}

static redisReplyObjectFunctions makers = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
    .freeObject = reader_forget,
};

int
redis_reader_load(struct err *err)
{
	return library_load(&library_hiredis, err);
}

struct redis_reader *
redis_reader_new(size_t max_reply)
{
	struct redis_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL)
		return NULL;
	reader->max_reply = max_reply;
	reader->hi = redisReaderCreateWithFunctions(&makers);
	if (reader->hi == NULL) {
		free(reader);
		return NULL;
	}
	reader->hi->privdata = reader;
	return reader;
}

void
redis_reader_free(struct redis_reader *reader)
{
	if (reader == NULL)
		return;
	redisReaderFree(reader->hi);
	redis_arena_done(&reader->arena);
	free(reader);
}

int
redis_reader_feed(struct redis_reader *reader, const void *p, size_t len,
		  struct err *err)
{
	if (redisReaderFeed(reader->hi, p, len) != REDIS_OK)
		return err_nomem(err);
	reader->fed += len;
	return 0;
}

/* The size of the string whose header has come but whose end has not. */
static size_t
announced(const redisReader *hi)
{
	size_t n = 0, i;

	if (hi->ridx < 0 || TASK(hi)->type != REDIS_REPLY_STRING)
		return 0;
	for (i = hi->pos; i < hi->len; i++) {
		if (hi->buf[i] < '0' || hi->buf[i] > '9' || n > SIZE_MAX / 20)
			break;
		n = n * 10 + (size_t)(hi->buf[i] - '0');
	}
	return n;
}

/* Fatal for the connection: the rest of such a reply cannot be skipped without
 * reading it, and memory is what the limit protects. */
static int
too_big(const struct redis_reader *reader, struct err *err)
{
	return err_set(err, ERR_DATA,
		       "the server sent a reply of more than %zu bytes",
		       reader->max_reply);
}

int
redis_reader_next(struct redis_reader *reader, const struct redis_reply **ret,
		  struct err *err)
{
	redisReader *hi = reader->hi;
	void *reply = NULL;
	uint64_t begun;

	/*
	 * The previous reply is valid until this call. The arena may be reset
	 * here even if a part of the next reply has arrived, since only
	 * redisReaderGetReply() below fills it.
	 */
	if (reader->handed_out) {
		redis_arena_reset(&reader->arena);
		reader->handed_out = false;
	}
	if (redisReaderGetReply(hi, &reply) != REDIS_OK)
		return hi->err == REDIS_ERR_OOM && reader->refused == NULL
			   ? err_nomem(err)
			   : err_set(err, ERR_DATA,
				     "the server does not speak the Redis "
				     "protocol (%s); is it a Redis server?",
				     reader->refused != NULL ? reader->refused
							     : hi->errstr);
	if (reply == NULL) {
		/* A string is refused as soon as its length is known: its bytes
		 * would lie in hiredis' buffer until the last has come. */
		if (reader->fed - reader->begun > reader->max_reply ||
		    announced(hi) > reader->max_reply)
			return too_big(reader, err);
		return 0;
	}
	begun = reader->begun;
	reader->begun = reader->fed - (hi->len - hi->pos);
	reader->handed_out = true;
	if (reader->begun - begun > reader->max_reply)
		return too_big(reader, err);
	*ret = reply;
	return 1;
}
