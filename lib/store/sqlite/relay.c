/* SPDX-License-Identifier: MIT */
/* Submissions by way of a worker: the producer's side. */
#include "store/sqlite/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "sqlite/door.h"
#include "sqlite/owner.h"
#include "sqlite/wake_socket.h"
#include "util/clock.h"

/* After a worker that did not answer, this long none is asked. */
#define SHUN_MS 10000
/* Behind the time that a request has: timers of the loop may be early by the
 * grain of a coarse clock. */
#define WAIT_MORE_MS 50

/* A request that has no answer yet. */
struct asking {
	TAILQ_ENTRY(asking) link;
	uint32_t number;
	struct database_job *job;
	bool sent, *ret_sent;
	void (*take)(struct database_job *job, bool found, struct slice text);
};

struct srelay {
	struct sbroker *broker;
	int fd;
	struct event *event;
	uint32_t last; /* number */
	int64_t shunned_until_ms;
	TAILQ_HEAD(, asking) askings;
	struct buf out; /* requests that were not sent yet */
	char answer[SRELAY_MAX];
};

/* --- the connection ------------------------------------------------------ */

static void
relay_hang_up(struct srelay *r)
{
	if (r->event != NULL)
		event_free(r->event);
	if (r->fd >= 0)
		close(r->fd);
	r->event = NULL;
	r->fd = -1;
}

static void
relay_turn_away(struct srelay *r, struct asking *a)
{
	TAILQ_REMOVE(&r->askings, a, link);
	database_post(&r->broker->user, a->job);
	free(a);
}

/* Those who have no answer turn to the file: the worker has gone, or nobody has
 * asked anything for as long as a request is good. */
static void
relay_give_up(struct srelay *r)
{
	struct asking *a, *next;

	relay_hang_up(r);
	buf_reset(&r->out);
	for (a = TAILQ_FIRST(&r->askings); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		relay_turn_away(r, a);
	}
}

/* All that was asked and not sent, in one packet: the worker wakes once. What it
 * does not take goes to the file, and what it has taken may have its answer yet. */
static void
relay_send(struct srelay *r)
{
	const bool sent = !r->out.failed && r->fd >= 0 &&
			  send(r->fd, r->out.data, r->out.len,
			       MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	struct asking *a, *next;

	buf_reset(&r->out);
	for (a = TAILQ_FIRST(&r->askings); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->sent)
			continue;
		if (!sent) {
			relay_turn_away(r, a);
			continue;
		}
		a->sent = true;
		if (a->ret_sent != NULL)
			*a->ret_sent = true;
	}
	if (TAILQ_EMPTY(&r->askings))
		relay_hang_up(r);
}

static struct asking *
relay_find(struct srelay *r, uint32_t number)
{
	struct asking *a;

	TAILQ_FOREACH (a, &r->askings, link)
		if (a->number == number)
			break;
	return a;
}

/* What a worker could not do, in time or at all, its producer tries: the file may be
 * another one by now. */
static bool
relay_failed(enum err_code code)
{
	return code == ERR_TIMEOUT || code == ERR_UNAVAILABLE;
}

/* False: it is no answer to anything that was asked. */
static bool
relay_take(struct srelay *r, size_t len)
{
	const struct slice text = {r->answer + sizeof(struct srelay_answer),
				   len - sizeof(struct srelay_answer)};
	struct srelay_answer answer;
	struct database_job *job;
	struct asking *a;
	struct err err;

	memcpy(&answer, r->answer, sizeof(answer));
	if (answer.code > ERR_CONFIG ||
	    (a = relay_find(r, answer.number)) == NULL)
		return false;
	TAILQ_REMOVE(&r->askings, a, link);
	job = a->job;
	if (answer.code == ERR_NONE)
		a->take(job, answer.found != 0, text);
	else
		err_set(&err, (enum err_code)answer.code, "%.*s", (int)text.len,
			text.p);
	free(a);
	/* The last: the callback may do anything. */
	if (relay_failed((enum err_code)answer.code))
		database_post(&r->broker->user, job);
	else
		job->done(job, answer.code == ERR_NONE ? NULL : &err);
	return true;
}

static void
relay_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct srelay *r = arg;
	ssize_t n;

	if ((what & EV_WRITE) != 0) {
		if (r->out.len > 0)
			relay_send(r);
		return;
	}
	if ((what & EV_TIMEOUT) != 0) {
		if (TAILQ_EMPTY(&r->askings)) {
			event_remove_timer(r->event);
			return;
		}
		r->shunned_until_ms = clock_mono_ms() + SHUN_MS;
		relay_give_up(r);
		return;
	}
	n = recv(fd, r->answer, sizeof(r->answer), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(struct srelay_answer) ||
	    n > (ssize_t)sizeof(r->answer) || !relay_take(r, (size_t)n))
		relay_give_up(r);
}

/* A descriptor or -1. Root looks at the way to the file first, as if it opened
 * it. */
static int
relay_dial(const struct sbroker *b)
{
	struct wake_socket place = WAKE_SOCKET_INIT;
	const char *path = database_file(&b->user);
	int fd = -1;

	if ((geteuid() != 0 || owner_check_root(path, NULL) == 0) &&
	    wake_socket_open_dir(&place, path, NULL) == 0)
		fd = door_enter(place.dir_fd, SRELAY_NAME);
	wake_socket_done(&place);
	return fd;
}

static struct srelay *
relay_new(struct sbroker *b)
{
	struct srelay *r = malloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	/* The buffer need not be cleared. */
	r->broker = b;
	r->fd = -1;
	r->event = NULL;
	r->last = 0;
	r->shunned_until_ms = 0;
	r->out = (struct buf)BUF_INIT;
	TAILQ_INIT(&r->askings);
	return r;
}

/* Whether a worker can be asked. */
static bool
relay_connect(struct sbroker *b)
{
	struct srelay *r = b->relay;

	if (r == NULL && (r = b->relay = relay_new(b)) == NULL)
		return false;
	if (r->fd >= 0)
		return true;
	if (clock_mono_ms() < r->shunned_until_ms ||
	    (r->fd = relay_dial(b)) < 0)
		return false;
	r->event = event_new(b->opt.base, r->fd, EV_READ | EV_PERSIST,
			     relay_on_event, r);
	if (r->event != NULL)
		return true;
	relay_hang_up(r);
	return false;
}

/* --- requests ------------------------------------------------------------ */

/* Half of the store's limit: the file may be locked, too. */
static int64_t
relay_wait_ms(const struct srelay *r)
{
	const int64_t half_ms = r->broker->opt.timeout_ms / 2;

	return half_ms > 0 && half_ms < SRELAY_WAIT_MS ? half_ms
						       : SRELAY_WAIT_MS;
}

static struct srelay_request
relay_request(const struct srelay *r, const struct srelay_ask *ask)
{
	struct srelay_request q = {.version = SRELAY_VERSION,
				   .number = r->last,
				   .what = ask->what,
				   .max_queue_size = ask->max_queue_size,
				   .by_ms = clock_mono_ms() + relay_wait_ms(r)};
	size_t i;

	for (i = 0; i < SRELAY_TEXTS; i++)
		q.lens[i] = (uint32_t)ask->texts[i].len;
	if (ask->submit != NULL) {
		q.priority = ask->submit->priority;
		q.delay_ms = ask->submit->delay_ms;
		q.at_ms = ask->submit->at_ms;
		q.derived = ask->submit->derived;
	}
	return q;
}

static void
relay_write(struct srelay *r, const struct srelay_ask *ask)
{
	const struct srelay_request q = relay_request(r, ask);
	size_t i;

	buf_add(&r->out, &q, sizeof(q));
	for (i = 0; i < SRELAY_TEXTS; i++)
		buf_add(&r->out, ask->texts[i].p, ask->texts[i].len);
}

static bool
relay_has_room(const struct srelay *r, const struct srelay_ask *ask)
{
	size_t size = sizeof(struct srelay_request), i;

	for (i = 0; i < SRELAY_TEXTS && size <= SRELAY_MAX; i++)
		size += ask->texts[i].len;
	return r->out.len + size <= SRELAY_MAX;
}

static bool
relay_ask(struct srelay *r, const struct srelay_ask *ask)
{
	const struct timeval patience = {
	    .tv_usec = (relay_wait_ms(r) + WAIT_MORE_MS) * 1000};
	struct asking *a = NULL;

	if (!relay_has_room(r, ask) || event_add(r->event, &patience) != 0 ||
	    (a = malloc(sizeof(*a))) == NULL)
		return false;
	*a = (struct asking){.number = ++r->last,
			     .job = ask->job,
			     .ret_sent = ask->sent,
			     .take = ask->take};
	TAILQ_INSERT_TAIL(&r->askings, a, link);
	relay_write(r, ask);
	/* Who asks what is registered asks next who has it. */
	if (ask->what != SRELAY_REGISTERED)
		relay_send(r);
	else
		event_active(r->event, EV_WRITE, 0);
	return true;
}

void
srelay_ask(struct sbroker *b, const struct srelay_ask *ask)
{
	if (!b->relays || !relay_connect(b) || !relay_ask(b->relay, ask))
		database_post(&b->user, ask->job);
}

bool
srelay_is_there(const char *url)
{
	char *path = database_path(url, NULL);
	const bool there = path != NULL && door_is_there(path, SRELAY_NAME);

	free(path);
	return there;
}

void
srelay_done(struct sbroker *b)
{
	struct srelay *r = b->relay;
	struct asking *a;

	if (r == NULL)
		return;
	relay_hang_up(r);
	while ((a = TAILQ_FIRST(&r->askings)) != NULL) {
		TAILQ_REMOVE(&r->askings, a, link);
		a->job->drop(a->job);
		free(a);
	}
	buf_done(&r->out);
	free(r);
	b->relay = NULL;
}
