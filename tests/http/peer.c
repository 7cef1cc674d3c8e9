/* SPDX-License-Identifier: MIT */
/* Peers of a site: they write and read bytes as they are. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "site.h"

static struct peer
peer_connect(struct site *site, int fd, const void *addr, socklen_t len)
{
	struct peer peer = {.site = site, .fd = fd};

	ck_assert_int_eq(connect(fd, addr, len), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return peer;
}

struct peer
peer_open(struct site *site)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons((uint16_t)site->port)};

	return peer_connect(site, socket(AF_INET, SOCK_STREAM, 0), &in,
			    sizeof(in));
}

struct peer
site_open(struct site *site)
{
	site_init(site);
	site_start(site);
	return peer_open(site);
}

struct peer
peer_open_unix(struct site *site)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	strcpy(un.sun_path, site->socket_path);
	return peer_connect(site, socket(AF_UNIX, SOCK_STREAM, 0), &un,
			    sizeof(un));
}

void
peer_close(struct peer *peer)
{
	close(peer->fd);
	buf_done(&peer->in);
}

/* A peer that is closed on the way is noticed where replies are read. */
void
site_close(struct site *site, struct peer *peer)
{
	peer_close(peer);
	site_stop(site);
}

void
peer_send(struct peer *peer, const char *bytes, size_t len)
{
	int64_t until = site_deadline();
	ssize_t n;

	while (len > 0) {
		n = send(peer->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		ck_assert(!site_late(until));
		site_turn(peer->site);
	}
}

void
peer_say(struct peer *peer, const char *text)
{
	peer_send(peer, text, strlen(text));
}

void
peer_poll(struct peer *peer)
{
	char bytes[65536];
	ssize_t n;

	site_turn(peer->site);
	while ((n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_add(&peer->in, bytes, (size_t)n);
	if (n == 0 || errno != EAGAIN)
		peer->eof = true;
}

void
peer_drain(struct peer *peer, size_t *total)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		*total += (size_t)n;
}

void
peer_wait_eof(struct peer *peer)
{
	SITE_WAIT(peer->site, (peer_poll(peer), peer->eof));
}

static const char *
peer_head_end(const struct peer *peer)
{
	const char *end =
	    peer->in.len > 0 ? strstr(peer->in.data, "\r\n\r\n") : NULL;

	return end != NULL ? end + 4 : NULL;
}

void
peer_reply_head(struct peer *peer, struct reply *reply)
{
	size_t len;

	*reply = (struct reply){.status = 0};
	SITE_WAIT(peer->site,
		  (peer_poll(peer), peer_head_end(peer) != NULL || peer->eof));
	ck_assert_msg(peer_head_end(peer) != NULL, "no reply, but an end");
	len = (size_t)(peer_head_end(peer) - peer->in.data);
	ck_assert_uint_lt(len, sizeof(reply->head));
	memcpy(reply->head, peer->in.data, len);
	buf_drain(&peer->in, len);
	ck_assert_int_eq(sscanf(reply->head, "HTTP/1.1 %d ", &reply->status),
			 1);
}

const char *
reply_field(const struct reply *reply, const char *name)
{
	static char value[1024];
	const char *p = reply->head;
	size_t len = strlen(name);

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncasecmp(p, name, len) == 0 && p[len] == ':') {
			snprintf(value, sizeof(value), "%.*s",
				 (int)strcspn(p + len + 2, "\r"), p + len + 2);
			return value;
		}
	}
	return "";
}

void
peer_reply(struct peer *peer, struct reply *reply)
{
	size_t kept;

	peer_reply_head(peer, reply);
	reply->body_len =
	    (size_t)strtoul(reply_field(reply, "Content-Length"), NULL, 10);
	SITE_WAIT(peer->site, (peer->in.len >= reply->body_len ||
			       (peer_poll(peer),
				peer->eof || peer->in.len >= reply->body_len)));
	ck_assert_uint_ge(peer->in.len, reply->body_len);
	kept = reply->body_len < sizeof(reply->body) - 1
		   ? reply->body_len
		   : sizeof(reply->body) - 1;
	if (kept > 0)
		memcpy(reply->body, peer->in.data, kept);
	buf_drain(&peer->in, reply->body_len);
}

void
peer_ask(struct peer *peer, const char *text, struct reply *reply)
{
	peer_say(peer, text);
	peer_reply(peer, reply);
}
