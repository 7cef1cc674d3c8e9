/* SPDX-License-Identifier: MIT */
/* Submissions by way of a worker: the producer's side. */
#include "store/sqlite/deputy.h"

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

struct sdeputy {
	struct sbroker *broker;
	int fd;
	struct event *event;
	uint32_t last; /* number */
	int64_t shunned_until_ms;
	TAILQ_HEAD(, asking) askings;
	struct buf out; /* requests that were not sent yet */
	char answer[SDEPUTY_MAX];
};

/* --- the connection ------------------------------------------------------ */

static void
deputy_hang_up(struct sdeputy *d)
{
	if (d->event != NULL)
		event_free(d->event);
	if (d->fd >= 0)
		close(d->fd);
	d->event = NULL;
	d->fd = -1;
}

static void
deputy_turn_away(struct sdeputy *d, struct asking *a)
{
	TAILQ_REMOVE(&d->askings, a, link);
	database_post(&d->broker->user, a->job);
	free(a);
}

/* Those who have no answer turn to the file: the worker has gone, or nobody has
 * asked anything for as long as a request is good. */
static void
deputy_give_up(struct sdeputy *d)
{
	struct asking *a, *next;

	deputy_hang_up(d);
	buf_reset(&d->out);
	for (a = TAILQ_FIRST(&d->askings); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		deputy_turn_away(d, a);
	}
}

/* All that was asked and not sent, in one packet: the worker wakes once. What it
 * does not take goes to the file, and what it has taken may have its answer yet. */
static void
deputy_send(struct sdeputy *d)
{
	const bool sent = !d->out.failed && d->fd >= 0 &&
			  send(d->fd, d->out.data, d->out.len,
			       MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	struct asking *a, *next;

	buf_reset(&d->out);
	for (a = TAILQ_FIRST(&d->askings); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->sent)
			continue;
		if (!sent) {
			deputy_turn_away(d, a);
			continue;
		}
		a->sent = true;
		if (a->ret_sent != NULL)
			*a->ret_sent = true;
	}
	if (TAILQ_EMPTY(&d->askings))
		deputy_hang_up(d);
}

static struct asking *
deputy_find(struct sdeputy *d, uint32_t number)
{
	struct asking *a;

	TAILQ_FOREACH (a, &d->askings, link)
		if (a->number == number)
			break;
	return a;
}

/* What a worker could not do, in time or at all, its producer tries: the file may be
 * another one by now. */
static bool
deputy_failed(enum err_code code)
{
	return code == ERR_TIMEOUT || code == ERR_UNAVAILABLE;
}

/* False: it is no answer to anything that was asked. */
static bool
deputy_take(struct sdeputy *d, size_t len)
{
	const struct slice text = {d->answer + sizeof(struct sdeputy_answer),
				   len - sizeof(struct sdeputy_answer)};
	struct sdeputy_answer answer;
	struct database_job *job;
	struct asking *a;
	struct err err;

	memcpy(&answer, d->answer, sizeof(answer));
	if (answer.code > ERR_CONFIG ||
	    (a = deputy_find(d, answer.number)) == NULL)
		return false;
	TAILQ_REMOVE(&d->askings, a, link);
	job = a->job;
	if (answer.code == ERR_NONE)
		a->take(job, answer.found != 0, text);
	else
		err_set(&err, (enum err_code)answer.code, "%.*s", (int)text.len,
			text.p);
	free(a);
	/* The last: the callback may do anything. */
	if (deputy_failed((enum err_code)answer.code))
		database_post(&d->broker->user, job);
	else
		job->done(job, answer.code == ERR_NONE ? NULL : &err);
	return true;
}

static void
deputy_on_silence(struct sdeputy *d)
{
	if (TAILQ_EMPTY(&d->askings)) {
		event_remove_timer(d->event);
		return;
	}
	d->shunned_until_ms = clock_mono_ms() + SHUN_MS;
	deputy_give_up(d);
}

/* An answer that is there is taken, however late: this process may have been stopped
 * for longer than the record of its task is kept. */
static void
deputy_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct sdeputy *d = arg;
	ssize_t n;

	if ((what & EV_WRITE) != 0) {
		if (d->out.len > 0)
			deputy_send(d);
		return;
	}
	n = recv(fd, d->answer, sizeof(d->answer), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if ((what & EV_TIMEOUT) != 0)
			deputy_on_silence(d);
		return;
	}
	if (n < (ssize_t)sizeof(struct sdeputy_answer) ||
	    n > (ssize_t)sizeof(d->answer) || !deputy_take(d, (size_t)n))
		deputy_give_up(d);
}

/* A descriptor or -1. Root looks at the way to the file first, as if it opened
 * it. */
static int
deputy_dial(const struct sbroker *b)
{
	struct wake_socket place = WAKE_SOCKET_INIT;
	const char *path = database_file(&b->user);
	int fd = -1;

	if ((geteuid() != 0 || owner_check_root(path, NULL) == 0) &&
	    wake_socket_open_dir(&place, path, NULL) == 0)
		fd = door_enter(place.dir_fd, SDEPUTY_NAME);
	wake_socket_done(&place);
	return fd;
}

static struct sdeputy *
deputy_new(struct sbroker *b)
{
	struct sdeputy *d = malloc(sizeof(*d));

	if (d == NULL)
		return NULL;
	/* The buffer need not be cleared. */
	d->broker = b;
	d->fd = -1;
	d->event = NULL;
	d->last = 0;
	d->shunned_until_ms = 0;
	d->out = (struct buf)BUF_INIT;
	TAILQ_INIT(&d->askings);
	return d;
}

/* Whether a worker can be asked. */
static bool
deputy_connect(struct sbroker *b)
{
	struct sdeputy *d = b->deputy;

	if (d == NULL && (d = b->deputy = deputy_new(b)) == NULL)
		return false;
	if (d->fd >= 0)
		return true;
	if (clock_mono_ms() < d->shunned_until_ms ||
	    (d->fd = deputy_dial(b)) < 0)
		return false;
	d->event = event_new(b->opt.base, d->fd, EV_READ | EV_PERSIST,
			     deputy_on_event, d);
	if (d->event != NULL)
		return true;
	deputy_hang_up(d);
	return false;
}

/* --- requests ------------------------------------------------------------ */

/* Half of the store's limit: the file may be locked, too. */
static int64_t
deputy_wait_ms(const struct sdeputy *d)
{
	const int64_t half_ms = d->broker->opt.timeout_ms / 2;

	return half_ms > 0 && half_ms < SDEPUTY_WAIT_MS ? half_ms
							: SDEPUTY_WAIT_MS;
}

static struct sdeputy_request
deputy_request(const struct sdeputy *d, const struct sdeputy_ask *ask)
{
	struct sdeputy_request q = {.version = SDEPUTY_VERSION,
				    .number = d->last,
				    .what = ask->what,
				    .max_queue_size = ask->max_queue_size,
				    .by_ms =
					clock_mono_ms() + deputy_wait_ms(d)};
	size_t i;

	for (i = 0; i < SDEPUTY_TEXTS; i++)
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
deputy_write(struct sdeputy *d, const struct sdeputy_ask *ask)
{
	const struct sdeputy_request q = deputy_request(d, ask);
	size_t i;

	buf_add(&d->out, &q, sizeof(q));
	for (i = 0; i < SDEPUTY_TEXTS; i++)
		buf_add(&d->out, ask->texts[i].p, ask->texts[i].len);
}

static bool
deputy_has_room(const struct sdeputy *d, const struct sdeputy_ask *ask)
{
	size_t size = sizeof(struct sdeputy_request), i;

	for (i = 0; i < SDEPUTY_TEXTS && size <= SDEPUTY_MAX; i++)
		size += ask->texts[i].len;
	return d->out.len + size <= SDEPUTY_MAX;
}

static bool
deputy_ask(struct sdeputy *d, const struct sdeputy_ask *ask)
{
	const struct timeval patience = {
	    .tv_usec = (deputy_wait_ms(d) + WAIT_MORE_MS) * 1000};
	struct asking *a = NULL;

	if (!deputy_has_room(d, ask) || event_add(d->event, &patience) != 0 ||
	    (a = malloc(sizeof(*a))) == NULL)
		return false;
	*a = (struct asking){.number = ++d->last,
			     .job = ask->job,
			     .ret_sent = ask->sent,
			     .take = ask->take};
	TAILQ_INSERT_TAIL(&d->askings, a, link);
	deputy_write(d, ask);
	/* Who asks what is registered asks next who has it. */
	if (ask->what != SDEPUTY_REGISTERED)
		deputy_send(d);
	else
		event_active(d->event, EV_WRITE, 0);
	return true;
}

void
sdeputy_ask(struct sbroker *b, const struct sdeputy_ask *ask)
{
	if (!b->asks || !deputy_connect(b) || !deputy_ask(b->deputy, ask))
		database_post(&b->user, ask->job);
}

bool
sdeputy_is_there(const char *url)
{
	char *path = database_path(url, NULL);
	const bool there = path != NULL && door_is_there(path, SDEPUTY_NAME);

	free(path);
	return there;
}

void
sdeputy_done(struct sbroker *b)
{
	struct sdeputy *d = b->deputy;
	struct asking *a;

	if (d == NULL)
		return;
	deputy_hang_up(d);
	while ((a = TAILQ_FIRST(&d->askings)) != NULL) {
		TAILQ_REMOVE(&d->askings, a, link);
		a->job->drop(a->job);
		free(a);
	}
	buf_done(&d->out);
	free(d);
	b->deputy = NULL;
}
