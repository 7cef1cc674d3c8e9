/* SPDX-License-Identifier: MIT */
/* A server that does what the test says. */
#include "fake.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct fake_peer {
	TAILQ_ENTRY(fake_peer) link;
	struct fake *fake;
	struct bufferevent *bev;
	redisReader *reader;
	int number;
	bool closing;
};

struct fake {
	struct event_base *base;
	struct evconnlistener *listener;
	fake_command_fn *on_command;
	void *arg;
	char url[64];
	int accepted;
	TAILQ_HEAD(, fake_peer) peers;
};

static void
drop(struct fake_peer *peer)
{
	TAILQ_REMOVE(&peer->fake->peers, peer, link);
	bufferevent_free(peer->bev);
	redisReaderFree(peer->reader);
	free(peer);
}

static void
join(const redisReply *command, char *words, size_t size)
{
	size_t i, used = 0;

	words[0] = '\0';
	for (i = 0; i < command->elements && used < size; i++)
		used += (size_t)snprintf(words + used, size - used, "%s%s",
					 i != 0 ? " " : "",
					 command->element[i]->str);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct fake_peer *peer = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	char words[1024];
	void *command;

	redisReaderFeed(peer->reader, (char *)evbuffer_pullup(in, -1), len);
	evbuffer_drain(in, len);
	while (!peer->closing &&
	       redisReaderGetReply(peer->reader, &command) == REDIS_OK &&
	       command != NULL) {
		join(command, words, sizeof(words));
		freeReplyObject(command);
		peer->fake->on_command(peer, words, peer->fake->arg);
	}
	if (peer->closing &&
	    evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		drop(peer);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct fake_peer *peer = arg;

	if (peer->closing)
		drop(peer);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	drop(arg);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
	  struct sockaddr *sa, int len, void *arg)
{
	struct fake *fake = arg;
	struct fake_peer *peer = calloc(1, sizeof(*peer));

	peer->fake = fake;
	peer->number = ++fake->accepted;
	peer->reader = redisReaderCreate();
	peer->bev =
	    bufferevent_socket_new(fake->base, fd, BEV_OPT_CLOSE_ON_FREE);
	TAILQ_INSERT_TAIL(&fake->peers, peer, link);
	bufferevent_setcb(peer->bev, on_read, on_write, on_event, peer);
	bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
}

struct fake *
fake_new(struct event_base *base, fake_command_fn *on_command, void *arg)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	struct sockaddr_in sin = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(sin);

	fake->base = base;
	fake->on_command = on_command;
	fake->arg = arg;
	TAILQ_INIT(&fake->peers);
	fake->listener = evconnlistener_new_bind(
	    base, on_accept, fake,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
	    (struct sockaddr *)&sin, sizeof(sin));
	ck_assert_ptr_nonnull(fake->listener);
	getsockname(evconnlistener_get_fd(fake->listener),
		    (struct sockaddr *)&sin, &len);
	snprintf(fake->url, sizeof(fake->url), "redis://127.0.0.1:%u",
		 ntohs(sin.sin_port));
	return fake;
}

void
fake_free(struct fake *fake)
{
	struct fake_peer *peer;

	while ((peer = TAILQ_FIRST(&fake->peers)) != NULL)
		drop(peer);
	evconnlistener_free(fake->listener);
	free(fake);
}

const char *
fake_url(const struct fake *fake)
{
	return fake->url;
}

int
fake_accepted(const struct fake *fake)
{
	return fake->accepted;
}

int
fake_connected(const struct fake *fake)
{
	const struct fake_peer *peer;
	int n = 0;

	TAILQ_FOREACH (peer, &fake->peers, link)
		n++;
	return n;
}

int
fake_number(const struct fake_peer *peer)
{
	return peer->number;
}

void
fake_send(struct fake_peer *peer, const char *bytes, size_t len)
{
	bufferevent_write(peer->bev, bytes, len);
}

void
fake_say(struct fake_peer *peer, const char *bytes)
{
	fake_send(peer, bytes, strlen(bytes));
}

void
fake_close(struct fake_peer *peer)
{
	peer->closing = true;
}

int
fake_login(struct fake_peer *peer, const char *words)
{
	if (strcmp(words, "PING") == 0)
		fake_say(peer, "+PONG\r\n");
	else if (strcmp(words, "ROLE") == 0)
		fake_say(peer, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
	else if (strncmp(words, "AUTH ", 5) == 0 ||
		 strncmp(words, "CLIENT ", 7) == 0 ||
		 strncmp(words, "SELECT ", 7) == 0)
		fake_say(peer, "+OK\r\n");
	else
		return 0;
	return 1;
}
