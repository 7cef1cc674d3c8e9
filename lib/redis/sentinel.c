/* SPDX-License-Identifier: MIT */
/*
 * Questions to Sentinels, and what they say unasked.
 *
 * A question goes to one after the other, by a connection of its own that is
 * closed with the answer; who has answered is asked first the next time. One of
 * them is listened to all the time. None of what they say is believed but as a
 * place where the server may be: that one has to say itself that it is the master
 * (login.c).
 */
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/find.h"
#include "redis/redis.h"

/* One Sentinel has this long: there are others. */
#define ASK_MS 500
/* Before the next one is listened to. */
#define LISTEN_AGAIN_MS 200
/* An answer names a few Sentinels and their properties. */
#define SENTINEL_REPLY_MAX (256u << 10)

static const char switched[] = "+switch-master", promoted[] = "+promoted-slave";

/* TLS is as to the server, the user is another. */
struct redis_url
redis_sentinel_url(const struct redis_url *all, size_t i)
{
	struct redis_url url = *all;

	url.host = all->hosts[i].host;
	url.port = all->hosts[i].port;
	url.hosts = NULL;
	url.n_hosts = 0;
	url.master = NULL;
	url.db = 0;
	url.user = all->sentinel_user;
	url.password = all->sentinel_password;
	return url;
}

static struct redis *
sentinel_dial(const struct redis_sentinels *s, size_t i,
	      const struct redis_options *options, struct err *err)
{
	const struct redis_url url = redis_sentinel_url(&s->url, i);
	struct redis_options o = *options;

	o.url = &url;
	o.client_name = "flowrra-sentinel";
	o.max_reply = SENTINEL_REPLY_MAX;
	o.to_sentinel = true;
	return redis_new(s->base, &o, err);
}

/* --- asking -------------------------------------------------------------- */

static void ask_next(struct redis_sentinels *s);

static void
ask_end(struct redis_sentinels *s, const struct redis_host *place)
{
	struct err why = s->why;

	redis_free(s->asked);
	s->asked = NULL;
	if (place == NULL) {
		why.code = s->all_refuse ? ERR_REFUSED : ERR_UNAVAILABLE;
		err_prefix(&why, "no Sentinel says where %s is; the last one",
			   s->url.master);
	}
	s->on_place(place, &why, s->arg);
}

/* The connection is freed, as one that comes back by itself. */
static void
ask_failed(struct redis_sentinels *s, const struct err *why)
{
	s->why = *why;
	s->all_refuse = s->all_refuse && why->code == ERR_REFUSED;
	redis_free(s->asked);
	s->asked = NULL;
	s->tried++;
	ask_next(s);
}

/* A text of theirs becomes a host and a port that a URL could have. */
static int
place_read(const struct redis_reply *host, const struct redis_reply *port,
	   struct redis_host *ret)
{
	const struct slice text = redis_reply_string(host);
	const int64_t number = redis_reply_integer(port);

	if (text.len == 0 || memchr(text.p, '\0', text.len) != NULL ||
	    number < 1 || number > UINT16_MAX)
		return -1;
	ret->port = (uint16_t)number;
	ret->host = strndup(text.p, text.len);
	if (ret->host != NULL &&
	    (redis_is_host_name(ret->host) || redis_is_ipv6(ret->host)))
		return 0;
	free(ret->host);
	ret->host = NULL;
	return -1;
}

/* One Sentinel can say any number, and be gone: it must not have the last word. Nor
 * must one that is behind by itself, as after its file was restored. */
static bool
ask_most_are_behind(const struct redis_sentinels *s)
{
	size_t n = 0, i;

	for (i = 0; i < s->url.n_hosts; i++)
		n += s->answered[i];
	return s->behind > n / 2 && (s->behind > 1 || s->url.n_hosts == 1);
}

/* Whether what it says of the place is older than what another one has said. */
static bool
ask_is_behind(struct redis_sentinels *s)
{
	s->answered[s->asking] = true;
	if (s->epoch_said >= s->epoch)
		return false;
	s->behind++;
	return !ask_most_are_behind(s);
}

static void
ask_on_address(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct redis_sentinels *s = arg;
	struct redis_host place = {.host = NULL};
	struct err why;

	if (reply == NULL)
		return; /* told with the state */
	if (redis_fault(reply) != REDIS_FAULT_NONE) {
		redis_fault_err(r, "SENTINEL", reply, &why);
		ask_failed(s, &why);
	} else if (place_read(redis_reply_at(reply, 0),
			      redis_reply_at(reply, 1), &place) != 0) {
		err_set(&why, ERR_UNAVAILABLE, "%s: it does not know that name",
			redis_name(r));
		ask_failed(s, &why);
	} else if (ask_is_behind(s)) {
		err_set(&why, ERR_UNAVAILABLE,
			"%s: it has not heard of the last failover",
			redis_name(r));
		ask_failed(s, &why);
	} else {
		/* Who has told news meanwhile is asked next. */
		if (!s->again)
			s->first = s->asking;
		s->epoch = s->epoch_said;
		ask_end(s, &place);
	}
	free(place.host);
}

static void
sentinels_add(struct redis_sentinels *s, struct redis_host *host)
{
	struct redis_host *more;
	size_t i;

	for (i = 0; i < s->url.n_hosts; i++)
		if (s->url.hosts[i].port == host->port &&
		    strcmp(s->url.hosts[i].host, host->host) == 0)
			return;
	if (s->url.n_hosts >= REDIS_HOSTS_MAX)
		return;
	more = reallocarray(s->url.hosts, s->url.n_hosts + 1, sizeof(*more));
	if (more == NULL)
		return;
	s->url.hosts = more;
	more[s->url.n_hosts++] = *host;
	host->host = NULL;
}

/* The value behind a name, in a list of both; or NULL. */
static const struct redis_reply *
member_of(const struct redis_reply *one, const char *name)
{
	size_t i;

	for (i = 0; i + 1 < redis_reply_count(one); i += 2)
		if (slice_eq(redis_reply_string(redis_reply_at(one, i)),
			     slice_of(name)))
			return redis_reply_at(one, i + 1);
	return NULL;
}

static void
ask_on_others(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct redis_sentinels *s = arg;
	const struct redis_reply *one;
	struct redis_host host;
	size_t i;

	for (i = 0; i < redis_reply_count(reply); i++) {
		one = redis_reply_at(reply, i);
		host = (struct redis_host){.host = NULL};
		if (place_read(member_of(one, "ip"), member_of(one, "port"),
			       &host) == 0)
			sentinels_add(s, &host);
		free(host.host);
	}
}

/* Who may not say counts as one that is not behind. */
static void
ask_on_master(struct redis *r, const struct redis_reply *reply, void *arg)
{
	struct redis_sentinels *s = arg;
	const struct redis_reply *epoch = member_of(reply, "config-epoch");

	s->epoch_said = epoch != NULL ? redis_reply_integer(epoch) : s->epoch;
}

/* The last answer ends the question, and closes the connection. */
static void
ask_on_state(struct redis *r, enum redis_state state, const struct err *why,
	     void *arg)
{
	struct redis_sentinels *s = arg;
	const struct slice others[] = {SLICE("SENTINEL"), SLICE("SENTINELS"),
				       slice_of(s->url.master)};
	const struct slice master[] = {SLICE("SENTINEL"), SLICE("MASTER"),
				       slice_of(s->url.master)};
	const struct slice address[] = {SLICE("SENTINEL"),
					SLICE("GET-MASTER-ADDR-BY-NAME"),
					slice_of(s->url.master)};
	struct err err;

	if (state != REDIS_UP) {
		ask_failed(s, why);
	} else if (redis_command(r, ask_on_others, s, 3, others) != 0 ||
		   redis_command(r, ask_on_master, s, 3, master) != 0 ||
		   redis_command(r, ask_on_address, s, 3, address) != 0) {
		err_nomem(&err);
		ask_failed(s, &err);
	}
}

static void
ask_next(struct redis_sentinels *s)
{
	const struct redis_options options = {
	    .timeout_ms = s->timeout_ms < ASK_MS ? s->timeout_ms : ASK_MS,
	    .on_state = ask_on_state,
	    .arg = s};

	for (; s->tried < s->url.n_hosts; s->tried++) {
		s->asking = (s->first + s->tried) % s->url.n_hosts;
		s->asked = sentinel_dial(s, s->asking, &options, &s->why);
		if (s->asked != NULL)
			return;
		s->all_refuse = false;
	}
	ask_end(s, NULL);
}

void
redis_sentinels_ask(struct redis_sentinels *s)
{
	if (s->asked != NULL)
		return;
	s->tried = s->behind = 0;
	s->again = false;
	s->all_refuse = true;
	ask_next(s);
}

void
redis_sentinels_ask_again(struct redis_sentinels *s)
{
	s->again = s->asked != NULL;
	redis_sentinels_ask(s);
}

void
redis_sentinels_doubt(struct redis_sentinels *s)
{
	s->first = (s->first + 1) % s->url.n_hosts;
}

/* --- listening ----------------------------------------------------------- */

static void
listen_on_ready(struct redis *r, void *arg)
{
	struct redis_sentinels *s = arg;

	s->hears = true;
	s->first = s->listened % s->url.n_hosts;
	s->on_news(s->arg);
}

/* Who has told is asked; another one may not know yet. "NAME old-host old-port new-host new-port"; of another kind of message it is
 * enough that there is one. */
static void
listen_on_message(struct redis *r, struct slice channel, struct slice payload,
		  void *arg)
{
	struct redis_sentinels *s = arg;
	const size_t len = strlen(s->url.master);

	s->first = s->listened % s->url.n_hosts;
	if (!slice_eq(channel, slice_of(switched)) ||
	    (payload.len > len && payload.p[len] == ' ' &&
	     memcmp(payload.p, s->url.master, len) == 0))
		s->on_news(s->arg);
}

static void
listen_later(struct redis_sentinels *s)
{
	const struct timeval tv = {.tv_usec = LISTEN_AGAIN_MS * 1000};

	redis_free(s->heard);
	s->heard = NULL;
	s->hears = false;
	s->listened++;
	evtimer_add(s->listen_again, &tv);
}

static void
listen_on_state(struct redis *r, enum redis_state state, const struct err *why,
		void *arg)
{
	if (state != REDIS_UP)
		listen_later(arg);
}

static void
sentinels_listen(evutil_socket_t fd, short what, void *arg)
{
	struct redis_sentinels *s = arg;
	const struct redis_options options = {.timeout_ms = s->timeout_ms,
					      .on_state = listen_on_state,
					      .on_message = listen_on_message,
					      .arg = s};

	s->heard =
	    sentinel_dial(s, s->listened % s->url.n_hosts, &options, NULL);
	if (s->heard == NULL ||
	    redis_subscribe(s->heard, slice_of(promoted), NULL, s) != 0 ||
	    redis_subscribe(s->heard, slice_of(switched), listen_on_ready, s) !=
		0)
		listen_later(s);
}

/* --- opening ------------------------------------------------------------- */

int
redis_sentinels_init(struct redis_sentinels *s, struct event_base *base,
		     const struct redis_url *url, int64_t timeout_ms,
		     struct err *err)
{
	s->base = base;
	s->timeout_ms = timeout_ms;
	s->listen_again = evtimer_new(base, sentinels_listen, s);
	if (s->listen_again == NULL || redis_url_copy(&s->url, url) != 0)
		return err_nomem(err);
	event_active(s->listen_again, EV_TIMEOUT, 0);
	return 0;
}

void
redis_sentinels_done(struct redis_sentinels *s)
{
	redis_free(s->asked);
	redis_free(s->heard);
	if (s->listen_again != NULL)
		event_free(s->listen_again);
	redis_url_done(&s->url);
}
