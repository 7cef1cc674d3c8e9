/* SPDX-License-Identifier: MIT */
/*
 * A hostile Redis server, on the loop of who is tested: so nothing waits for
 * anything but the loop's next turn.
 */
#include "fuzz/redis_store/peer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/buf.h"

/* An answer that answers each command with more commands would never end. */
#define COMMANDS_MAX 400
#define DEPTH_MAX 4

struct guest {
	TAILQ_ENTRY(guest) link;
	struct peer *peer;
	struct bufferevent *bev;
	redisReader *reader;
	bool closing, cut;
};

struct peer {
	struct event_base *base;
	struct evconnlistener *listener;
	struct peer_input *in;
	size_t commands;
	TAILQ_HEAD(, guest) guests;
};

static const char *const texts[] = {
    "",
    "0",
    "io",
    "cpu",
    "add",
    "host:a",
    "host:b",
    "t1",
    "-7",
    "99999999999",
    "-9223372036854775808",
    "9223372036854775807",
    "1e308",
    "nan",
    "success",
    "lanes",
    "withdrawn",
    "flowrra:task:t1",
    "{}",
    "[]",
    "{\"withdrawn\":true}",
    "{\"queues\":[\"io\",\"cpu\",\"odd name\",\"new\"],\"token\":\"x\"}",
    "{\"id\":\"t1\",\"name\":\"add\",\"args\":[1,2],\"kwargs\":{},"
    "\"priority\":9,\"submitted_at\":\"2026-01-01T00:00:00Z\"}",
    "{\"id\":\"t1\",\"name\":\"add\",\"priority\":9223372036854775807,"
    "\"timeout\":1e300,\"retry_delay\":-1e18,\"expires_at\":"
    "\"9999-12-31T23:59:59Z\"}",
    "{\"task_id\":\"t1\",\"status\":\"success\",\"result\":[[[1]]]}",
    "{\"task_id\":\"t1\",\"status\":\"failed\",\"error\":\"x\"}",
    "{\"task_id\":\"t1\",\"status\":\"pending\"}",
    "{\"order\":\"cancel\",\"id\":\"t1\"}",
    "{\"order\":\"wake\",\"queue\":\"io\"}",
    "# Server\r\nredis_version:7.0.15\r\nmaxmemory:9223372036854775807\r\n"
    "used_memory:99999999999999999999\r\nlatest_fork_usec:-1\r\n",
    "redis_version:5\r\n",
    "\x1b[31m\xff\xfe",
};
#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static const char *const errors[] = {
    "NOSCRIPT no", "ERR x",	  "OOM x",	 "READONLY x",
    "LOADING x",   "NOAUTH x",	  "NOPERM x",	 "BUSY x",
    "UNBLOCKED x", "WRONGTYPE x", "MOVED 1 a:b", "TRYAGAIN x"};
#define N_ERRORS (sizeof(errors) / sizeof(errors[0]))

uint8_t
peer_next(struct peer_input *in)
{
	if (in->len == 0)
		return 0;
	in->len--;
	return *in->p++;
}

int64_t
peer_number(struct peer_input *in)
{
	static const int64_t odd[] = {0,
				      1,
				      2,
				      -1,
				      7,
				      INT32_MAX,
				      INT32_MIN,
				      UINT32_MAX,
				      INT64_MAX,
				      INT64_MIN,
				      INT64_MAX / 1000,
				      100000000};
	const uint8_t which = peer_next(in);
	uint64_t n = 0;
	int i;

	if (which < 200)
		return which < 100 ? odd[which % (sizeof(odd) / sizeof(*odd))]
				   : which - 100;
	for (i = 0; i < 8; i++)
		n = n << 8 | peer_next(in);
	return (int64_t)n;
}

/* --- answers ------------------------------------------------------------- */

static void
say_text(struct buf *out, const char *text, size_t len)
{
	buf_addf(out, "$%zu\r\n", len);
	buf_add(out, text, len);
	buf_adds(out, "\r\n");
}

static void
say_raw(struct peer_input *in, struct buf *out, bool as_string)
{
	size_t n = peer_next(in);

	if (n > in->len)
		n = in->len;
	if (as_string)
		say_text(out, (const char *)in->p, n);
	else
		buf_add(out, in->p, n);
	in->p += n;
	in->len -= n;
}

/* Another value, whatever was asked for. */
static void
say_any(struct peer_input *in, struct buf *out, int depth)
{
	const uint8_t kind = peer_next(in) % 12;
	unsigned int n;
	const char *text;

	if (kind < 3) {
		text = texts[peer_next(in) % N_TEXTS];
		say_text(out, text, strlen(text));
	} else if (kind < 5) {
		buf_addf(out, ":%" PRId64 "\r\n", peer_number(in));
	} else if (kind < 7 && depth < DEPTH_MAX) {
		n = peer_next(in) % 12;
		buf_addf(out, "*%u\r\n", n);
		for (; n > 0; n--)
			say_any(in, out, depth + 1);
	} else if (kind == 8) {
		buf_addf(out, "-%s\r\n", errors[peer_next(in) % N_ERRORS]);
	} else if (kind == 9) {
		say_raw(in, out, true);
	} else if (kind == 10) {
		buf_adds(out, "*0\r\n");
	} else {
		buf_adds(out, peer_next(in) % 2 != 0 ? "$-1\r\n" : "*-1\r\n");
	}
}

static void
say_subscribed(const redisReply *words, struct buf *out)
{
	size_t i;

	for (i = 1; i < words->elements; i++) {
		buf_adds(out, "*3\r\n");
		say_text(out, words->element[0]->str, words->element[0]->len);
		say_text(out, words->element[i]->str, words->element[i]->len);
		buf_addf(out, ":%zu\r\n", i);
	}
}

/* What Redis would say if it were empty and kind. */
static void
say_good(const redisReply *words, struct buf *out)
{
	static const struct {
		const char *command, *answer;
	} answers[] = {{"PING", "+PONG\r\n"},
		       {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
		       {"INFO", "$25\r\nredis_version:7.0.15\r\nx:1\r\n"},
		       {"EVALSHA", ":1\r\n"},
		       {"EXISTS", ":0\r\n"},
		       {"LLEN", ":0\r\n"},
		       {"PUBLISH", ":1\r\n"},
		       {"GET", "$-1\r\n"},
		       {"TIME", "*2\r\n$10\r\n1800000000\r\n$1\r\n7\r\n"},
		       {"SRANDMEMBER", "*1\r\n$13\r\nflowrra:queue\r\n"},
		       {"SSCAN", "*2\r\n$1\r\n0\r\n*2\r\n$2\r\nio\r\n"
				 "$3\r\ncpu\r\n"},
		       {"ZRANGE", "*2\r\n$6\r\nhost:a\r\n$6\r\nhost:b\r\n"},
		       {"HGETALL", "*2\r\n$3\r\nadd\r\n$2\r\n{}\r\n"},
		       {"HSCAN", "*2\r\n$1\r\n0\r\n*2\r\n$3\r\nadd\r\n"
				 "$2\r\n{}\r\n"},
		       {"ZSCAN", "*2\r\n$1\r\n0\r\n*4\r\n$6\r\nhost:a\r\n"
				 "$1\r\n1\r\n$6\r\nhost:b\r\n$1\r\n2\r\n"},
		       {"BLMOVE", "$-1\r\n"}};
	const char *command = words->element[0]->str;
	size_t i;

	if (strcasecmp(command, "SUBSCRIBE") == 0 ||
	    strcasecmp(command, "UNSUBSCRIBE") == 0) {
		say_subscribed(words, out);
		return;
	}
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcasecmp(command, answers[i].command) == 0) {
			buf_adds(out, answers[i].answer);
			return;
		}
	buf_adds(out, "+OK\r\n");
}

/* A message that nobody has sent, for a connection that listens. */
static void
say_message(struct peer_input *in, struct buf *out)
{
	static const char *const channels[] = {
	    "flowrra:control", "flowrra:events", "flowrra:complete:t1",
	    "flowrra:changed:t1", "__redis__:invalidate"};
	const char *channel = channels[peer_next(in) % 5];

	buf_adds(out, "*3\r\n$7\r\nmessage\r\n");
	say_text(out, channel, strlen(channel));
	say_any(in, out, 1);
}

/* Returns whether the connection is to be cut behind it. */
static bool
say(struct peer_input *in, const redisReply *words, struct buf *out)
{
	const uint8_t kind = peer_next(in) % 32;

	if (kind < 14)
		say_good(words, out);
	else if (kind < 24)
		say_any(in, out, 0);
	else if (kind == 24)
		buf_adds(out, "-NOSCRIPT no\r\n");
	else if (kind == 25)
		say_raw(in, out, false);
	else if (kind == 26)
		buf_addf(out, "%c%" PRId64 "\r\n",
			 peer_next(in) % 2 != 0 ? '*' : '$', peer_number(in));
	else if (kind == 27)
		say_message(in, out);
	else if (kind == 28)
		buf_addf(out, "*2\r\n:%" PRId64 "\r\n", peer_number(in));
	else if (kind == 29)
		return true;
	/* And nothing at all. */
	return false;
}

/* --- connections --------------------------------------------------------- */

static void
drop_guest(struct guest *g)
{
	TAILQ_REMOVE(&g->peer->guests, g, link);
	bufferevent_free(g->bev);
	redisReaderFree(g->reader);
	free(g);
}

/* `words` is not an array of strings, if the client is wrong: a defect. */
static void
guest_answer(struct guest *g, const redisReply *words)
{
	struct buf out = BUF_INIT;

	if (words->type != REDIS_REPLY_ARRAY || words->elements == 0)
		abort();
	g->peer->commands++;
	g->cut =
	    say(g->peer->in, words, &out) || g->peer->commands >= COMMANDS_MAX;
	if (!out.failed && out.len > 0)
		bufferevent_write(g->bev, out.data, out.len);
	buf_done(&out);
}

static void
guest_on_read(struct bufferevent *bev, void *arg)
{
	struct guest *g = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	const size_t len = evbuffer_get_length(in);
	void *words;

	redisReaderFeed(g->reader, (char *)evbuffer_pullup(in, -1), len);
	evbuffer_drain(in, len);
	while (!g->cut && redisReaderGetReply(g->reader, &words) == REDIS_OK &&
	       words != NULL) {
		guest_answer(g, words);
		freeReplyObject(words);
	}
	if (g->cut)
		drop_guest(g);
}

static void
guest_on_event(struct bufferevent *bev, short what, void *arg)
{
	drop_guest(arg);
}

static void
peer_on_accept(struct evconnlistener *listener, evutil_socket_t fd,
	       struct sockaddr *sa, int len, void *arg)
{
	struct peer *peer = arg;
	struct guest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		abort();
	g->peer = peer;
	g->reader = redisReaderCreate();
	g->bev = bufferevent_socket_new(peer->base, fd, BEV_OPT_CLOSE_ON_FREE);
	TAILQ_INSERT_TAIL(&peer->guests, g, link);
	bufferevent_setcb(g->bev, guest_on_read, NULL, guest_on_event, g);
	bufferevent_enable(g->bev, EV_READ | EV_WRITE);
}

struct peer *
peer_new(struct event_base *base, const char *path, struct peer_input *in)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct peer *peer = calloc(1, sizeof(*peer));

	if (peer == NULL || strlen(path) >= sizeof(address.sun_path))
		abort();
	strcpy(address.sun_path, path);
	unlink(path);
	peer->base = base;
	peer->in = in;
	TAILQ_INIT(&peer->guests);
	peer->listener = evconnlistener_new_bind(
	    base, peer_on_accept, peer, LEV_OPT_CLOSE_ON_FREE, -1,
	    (struct sockaddr *)&address, sizeof(address));
	if (peer->listener == NULL)
		abort();
	return peer;
}

void
peer_free(struct peer *peer)
{
	struct guest *g;

	while ((g = TAILQ_FIRST(&peer->guests)) != NULL)
		drop_guest(g);
	evconnlistener_free(peer->listener);
	free(peer);
}

size_t
peer_commands(const struct peer *peer)
{
	return peer->commands;
}
