/* SPDX-License-Identifier: MIT */
/*
 * Runs programs through a spawner: whose turn it is, what the spawner replies,
 * and what callers see.
 */
#include "spawn/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "spawn/children.h"
#include "spawn/send.h"
#include "spawn/spawner.h"
#include "util/limits.h"
#include "util/timer.h"

/* Orders that may wait for an answer: enough to keep the spawner busy, and few
 * enough that neither its socket nor the limit on descriptors that are under
 * way between processes is ever reached. */
#define ASKED_MAX 32

static const char *const steps[] = {
#define X(name, text) [SPAWN_STEP_##name] = (text),
    SPAWN_STEPS(X)
#undef X
};

/* --- signals ------------------------------------------------------------- */

static void
try_signal(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn_request r = {.order = SPAWN_SIGNAL,
				  .number = p->number,
				  .signal = p->signal_due};

	/* Any other error means that the spawner is dying: the end of its
	 * programs is told when its socket says so. */
	if (send_request(s->fd, &r, NULL, 0) == 0)
		p->signal_due = 0;
	else if (errno == EAGAIN)
		event_add(s->writable, NULL);
}

static void
spawner_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;
	struct spawn *p;

	TAILQ_FOREACH (p, &s->started, link)
		if (p->signal_due != 0)
			try_signal(p);
}

/* --- replies ------------------------------------------------------------- */

static void
spawner_take_reply(struct spawner *s, const struct spawn_reply *r)
{
	struct spawn *p = r->number < s->cap ? s->table[r->number] : NULL;

	/* The spawner is our own program, and yet a number out of the table
	 * must not take the daemon down. */
	if (p == NULL)
		return;
	switch (r->news) {
	case SPAWN_STARTED:
		p->state = RUNNING;
		p->pid = r->status;
		/* Until now it might have had to be asked for once more. */
		buf_done(&p->orders);
		program_drop_input(p);
		s->asked--;
		if (s->asked_max < ASKED_MAX)
			s->asked_max *= 2;
		timer_fire(s->turn);
		if ((p->shorts != s->shorts || p->withdrawn) &&
		    p->on_begin != NULL)
			p->on_begin(p->arg);
		break;
	case SPAWN_FAILED:
		program_not_begun(p, steps[r->step % SPAWN_N_STEPS], r->status);
		p->end.at_execution = r->step == SPAWN_STEP_EXECUTE;
		break;
	default:
		p->end = (struct spawn_end){.ran = true, .status = r->status};
		program_end(p);
		break;
	}
}

static void
spawner_on_reply(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;
	struct spawn_reply r;
	ssize_t n;

	while ((n = recv(s->fd, &r, sizeof(r), MSG_DONTWAIT)) ==
	       (ssize_t)sizeof(r))
		spawner_take_reply(s, &r);
	if (n == 0 || (n == -1 && errno != EINTR && !limits_is_short(errno)))
		spawner_lose(s);
}

/* --- turns --------------------------------------------------------------- */

static const struct spawner_events events = {
    .on_reply = spawner_on_reply, .on_writable = spawner_on_writable};

/* There is no spawner, and none can be started now, or ever. */
static void
spawner_cannot_open(struct spawn *p, const struct err *err)
{
	if (limits_is_short(err->sys)) {
		program_not_begun(p, "start flowrra-spawner", err->sys);
		return;
	}
	snprintf(p->why, sizeof(p->why), "%s", err->msg);
	p->end = (struct spawn_end){.why = p->why, .sys = err->sys};
	program_end(p);
}

/* Takes the first out of `waiting`: to `started`, or to `over` with the reason
 * why not; if something is short it stays, and `is_short` is set. So
 * spawner_on_turn() always comes to an end. */
static void
spawner_ask_next(struct spawner *s)
{
	struct spawn *p = TAILQ_FIRST(&s->waiting);
	struct err err;

	if (s->fd == -1 && spawner_open(s, &events, &err) != 0) {
		spawner_cannot_open(p, &err);
		return;
	}
	if (program_take_number(s, p) != 0) {
		program_not_begun(p, "make room for it", ENOMEM);
		return;
	}
	TAILQ_REMOVE(&s->waiting, p, link);
	TAILQ_INSERT_TAIL(&s->started, p, link);
	p->state = ASKED;
	s->asked++;
	if (ask_for(p) != 0)
		program_not_begun(p, "make pipes and send its orders", errno);
}

static void
spawner_on_turn(void *arg)
{
	struct spawner *s = arg;

	while (s->burials == 0 && !s->is_short && s->asked < s->asked_max &&
	       !TAILQ_EMPTY(&s->waiting))
		spawner_ask_next(s);
	program_tell_ends(s);
}

/* --- for callers --------------------------------------------------------- */

struct spawner *
spawner_new(struct event_base *base, const char *path, struct err *err)
{
	struct spawner *s = calloc(1, sizeof(*s));

	if (s == NULL)
		goto fail;
	s->base = base;
	s->fd = -1;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->started);
	TAILQ_INIT(&s->over);
	s->path = strdup(path);
	s->asked_max = ASKED_MAX;
	s->turn = timer_new(base, spawner_on_turn, s);
	s->again = timer_new(base, spawner_on_again, s);
	s->burial = timer_new(base, spawner_on_burial, s);
	if (s->path != NULL && s->turn != NULL && s->again != NULL &&
	    s->burial != NULL)
		return s;
fail:
	spawner_free(s);
	err_nomem(err);
	return NULL;
}

static void
free_list(struct spawn_list *list)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, link);
		program_free(p);
	}
}

void
spawner_free(struct spawner *s)
{
	if (s == NULL)
		return;
	free_list(&s->waiting);
	free_list(&s->started);
	free_list(&s->over);
	timer_free(s->turn);
	timer_free(s->again);
	timer_free(s->burial);
	if (s->burials > 0)
		children_kill();
	if (s->fd != -1)
		spawner_close(s);
	free(s->table);
	free(s->path);
	free(s);
}

/* Behind programs that wait for what is short, one waits as they do, though nothing
 * may be short any more when it is its turn. */
static bool
client_has_to_wait(const struct spawner *s)
{
	const struct spawn *first = TAILQ_FIRST(&s->waiting);

	return s->is_short || (first != NULL && first->shorts != s->shorts);
}

struct spawn *
spawn_start(struct spawner *s, const struct spawn_options *o, struct err *err)
{
	struct spawn *p = calloc(1, sizeof(*p));

	if (p == NULL)
		goto fail;
	p->spawner = s;
	p->fds[0] = p->fds[1] = p->input_fd = -1;
	p->held_fd = o->held_fd > 0 ? o->held_fd : -1;
	if (o->input_fd > 0 &&
	    (p->input_fd = fcntl(o->input_fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		err_sys(err, ERR_SYSTEM, "cannot keep its standard input");
		program_free(p);
		return NULL;
	}
	p->on_output = o->on_output;
	p->on_end = o->on_end;
	p->on_begin = o->on_begin;
	p->on_short = o->on_short;
	p->shorts = s->shorts - client_has_to_wait(s);
	p->serial = s->serial++;
	p->arg = o->arg;
	p->program = strdup(o->orders.argv[0]);
	spawn_orders_write(&o->orders, &p->orders);
	buf_add(&p->input, o->input.p, o->input.len);
	if (p->program == NULL || p->orders.failed || p->input.failed)
		goto fail;
	TAILQ_INSERT_TAIL(&s->waiting, p, link);
	timer_fire(s->turn);
	return p;
fail:
	if (p != NULL)
		program_free(p);
	err_nomem(err);
	return NULL;
}

bool
spawn_withdraw(struct spawn *p)
{
	if (p->state == WAITING)
		program_fail(p, "begin before it was told to end", ECANCELED);
	else if (p->state == ASKED)
		p->withdrawn = true;
	else
		return false;
	return true;
}

bool
spawn_pass_signal(struct spawn *p, int sig)
{
	/* One that tells it to end comes first. */
	if (p->state != RUNNING || p->spawner->burials > 0 ||
	    p->signal_due != 0)
		return false;
	p->signal_due = sig;
	try_signal(p);
	return true;
}

void
spawn_signal(struct spawn *p, int sig)
{
	if (p->state == WAITING) {
		program_fail(p, "begin before it was told to end", ECANCELED);
		return;
	}
	if (p->state == OVER || p->spawner->burials > 0)
		return;
	/* A second signal replaces one that is still due: KILL comes after
	 * TERM, and says all. Orders are taken in their sequence, so one that
	 * was ASKED is started before it is signalled. */
	p->signalled = true;
	p->signal_due = sig;
	try_signal(p);
}
