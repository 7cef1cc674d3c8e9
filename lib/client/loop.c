/* SPDX-License-Identifier: MIT */
/*
 * An event loop that many threads share.
 *
 * Leader and followers rather than one loop a thread, because then all threads
 * share one connection and their commands travel together; and rather than a
 * thread of our own, because a library's thread gets in the way of fork(),
 * signals and dlclose().
 *
 * The lock guards what is below it in struct loop, and the loop's fields of
 * operations. It is never held while the event loop runs. The event base itself
 * needs no lock: only the leader touches it, and the lead changes hands under
 * the lock. New operations of others reach a leader that sleeps in epoll_wait()
 * through an eventfd.
 */
#include "client/loop.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/limits.h"

TAILQ_HEAD(op_list, op);

struct loop {
	struct event_base *base;
	struct event *wake;
	struct event *begin;
	int wake_fd;
	struct loop_direct direct;
	bool tls;    /* see loop_new() */
	bool looked; /* this lead has seen what the sockets say */
	pthread_mutex_t lock;
	bool led;		  /* a thread runs the base */
	bool woken;		  /* the leader has been told of `fresh` */
	bool flush;		  /* turn once more before the lead ends */
	struct op_list fresh;	  /* not yet set off */
	struct op_list followers; /* their threads sleep */
};

static void
on_loop_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	/* Only to make it quiet again; that the loop turned is the message. */
	if (read(fd, &count, sizeof(count)) == -1)
		return;
}

/* What a client opens first: five of the loop (with its wake descriptor), and
 * those of the embedded store. */
#define LOOP_FILES 9

static struct event_base *
loop_base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* The environment of a program is not for its libraries to obey. */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void on_loop_begin(evutil_socket_t fd, short what, void *arg);

struct loop *
loop_new(bool tls, struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL) {
		err_nomem(err);
		return NULL;
	}
	/* libevent ends a process whose loop gets no descriptors. */
	if (limits_check_files(LOOP_FILES, err) != 0)
		goto fail_loop;
	if ((loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		err_sys(err, ERR_SYSTEM, "cannot make an event descriptor");
		goto fail_loop;
	}
	if ((loop->base = loop_base_new()) == NULL) {
		err_set(err, ERR_SYSTEM, "cannot make an event loop");
		goto fail_fd;
	}
	loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST,
			       on_loop_wake, NULL);
	loop->begin = evtimer_new(loop->base, on_loop_begin, loop);
	if (loop->wake == NULL || loop->begin == NULL ||
	    event_add(loop->wake, NULL) != 0) {
		err_nomem(err);
		goto fail_base;
	}
	loop->tls = tls;
	pthread_mutex_init(&loop->lock, NULL);
	TAILQ_INIT(&loop->fresh);
	TAILQ_INIT(&loop->followers);
	return loop;
fail_base:
	if (loop->begin != NULL)
		event_free(loop->begin);
	if (loop->wake != NULL)
		event_free(loop->wake);
	event_base_free(loop->base);
fail_fd:
	close(loop->wake_fd);
fail_loop:
	free(loop);
	return NULL;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	event_free(loop->begin);
	event_free(loop->wake);
	event_base_free(loop->base);
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void
loop_abandon(struct loop *loop)
{
	/* The base stays: to free it would take events out of the parent's
	 * epoll instance. Somebody may have held the lock at the fork. */
	free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

void
loop_set_direct(struct loop *loop, const struct loop_direct *direct)
{
	loop->direct = *direct;
}

/* --- the lead ---------------------------------------------------------- */

/* What this thread thought of SIGPIPE before it began to lead. */
struct sigpipe {
	sigset_t mask;
	bool was_pending;
};

static void
sigpipe_block(struct sigpipe *old)
{
	sigset_t pending, only;

	sigemptyset(&only);
	sigaddset(&only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &only, &old->mask);
	old->was_pending = false;
	/* One that was not blocked would have been delivered. */
	if (sigismember(&old->mask, SIGPIPE) != 1)
		return;
	sigemptyset(&pending);
	sigpending(&pending);
	old->was_pending = sigismember(&pending, SIGPIPE) == 1;
}

/* Takes away the SIGPIPE that our own writes have caused, but none that was
 * there before. */
static void
sigpipe_restore(const struct sigpipe *old)
{
	static const struct timespec at_once;
	sigset_t pending, only;

	sigemptyset(&pending);
	sigpending(&pending);
	if (sigismember(&pending, SIGPIPE) == 1 && !old->was_pending) {
		sigemptyset(&only);
		sigaddset(&only, SIGPIPE);
		sigtimedwait(&only, NULL, &at_once);
	}
	if (sigismember(&old->mask, SIGPIPE) != 1)
		pthread_sigmask(SIG_SETMASK, &old->mask, NULL);
}

/* Lock held, but not while operations are set off. */
static void
loop_start_fresh(struct loop *loop)
{
	struct op *op;

	loop->woken = false;
	while ((op = TAILQ_FIRST(&loop->fresh)) != NULL) {
		TAILQ_REMOVE(&loop->fresh, op, next_new);
		pthread_mutex_unlock(&loop->lock);
		op->start(op);
		pthread_mutex_lock(&loop->lock);
	}
}

/*
 * Sets off what is new, within the first turn of a lead: then what it sends
 * leaves in the same turn. Not at once: nobody may have looked for a long time,
 * so it is seen first which connections have broken, before something is sent
 * on them. Activated a second time, it runs after what the sockets had to say.
 */
static void
on_loop_begin(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	if (!loop->looked) {
		loop->looked = true;
		event_active(loop->begin, EV_TIMEOUT, 0);
		return;
	}
	pthread_mutex_lock(&loop->lock);
	loop_start_fresh(loop);
	pthread_mutex_unlock(&loop->lock);
}

/* Lock held. One turn of the loop. */
static void
loop_turn(struct loop *loop, int flags)
{
	pthread_mutex_unlock(&loop->lock);
	event_base_loop(loop->base, flags);
	pthread_mutex_lock(&loop->lock);
}

/*
 * Lock held. For the one caller that waits, the usual case: its commands leave
 * before the loop turns at all. What is not to be seen here, the loop sees when
 * it waits for the answer.
 */
static bool
loop_go_direct(struct loop *loop, const struct op *op)
{
	const struct loop_direct *direct = &loop->direct;
	bool up;

	if (op == NULL || !op->direct || direct->look == NULL ||
	    TAILQ_FIRST(&loop->fresh) != op || TAILQ_NEXT(op, next_new) != NULL)
		return false;
	pthread_mutex_unlock(&loop->lock);
	up = direct->look(direct->arg);
	pthread_mutex_lock(&loop->lock);
	if (!up)
		return false;
	loop_start_fresh(loop);
	pthread_mutex_unlock(&loop->lock);
	direct->push(direct->arg);
	pthread_mutex_lock(&loop->lock);
	return true;
}

/*
 * Lock held. Runs the loop until `op` is done; with NULL just long enough to
 * set off what is new.
 */
static void
loop_lead(struct loop *loop, const struct op *op)
{
	struct sigpipe old;

	loop->led = true;
	if (loop->tls) {
		sigpipe_block(&old);
		loop_turn(loop, EVLOOP_NONBLOCK);
	}
	if (!loop_go_direct(loop, op)) {
		loop->looked = false;
		event_active(loop->begin, EV_TIMEOUT, 0);
	}
	if (op == NULL)
		loop_turn(loop, EVLOOP_NONBLOCK);
	while (op != NULL && !op->done) {
		loop_turn(loop, EVLOOP_ONCE);
		loop_start_fresh(loop);
	}
	if (loop->flush)
		loop_turn(loop, EVLOOP_NONBLOCK);
	loop->flush = false;
	if (loop->tls)
		sigpipe_restore(&old);
	loop->led = false;
	if (!TAILQ_EMPTY(&loop->followers))
		pthread_cond_signal(&TAILQ_FIRST(&loop->followers)->changed);
}

/* --- operations -------------------------------------------------------- */

/* Lock held. */
static void
loop_unfollow(struct loop *loop, struct op *op)
{
	if (op->following)
		TAILQ_REMOVE(&loop->followers, op, next_follower);
	op->following = false;
}

/* Lock held. */
static void
loop_enter(struct loop *loop, struct op *op)
{
	static const uint64_t one = 1;

	pthread_cond_init(&op->changed, NULL);
	op->following = false;
	op->done = false;
	TAILQ_INSERT_TAIL(&loop->fresh, op, next_new);
	/* A full counter is as good as a write. */
	if (loop->led && !loop->woken &&
	    write(loop->wake_fd, &one, sizeof(one)) >= 0)
		loop->woken = true;
}

/* Lock held. */
static void
loop_await(struct loop *loop, struct op *op)
{
	while (!op->done) {
		if (!loop->led) {
			loop_unfollow(loop, op);
			loop_lead(loop, op);
			continue;
		}
		if (!op->following)
			TAILQ_INSERT_TAIL(&loop->followers, op, next_follower);
		op->following = true;
		pthread_cond_wait(&op->changed, &loop->lock);
	}
}

void
loop_begin(struct loop *loop, struct op *op)
{
	pthread_mutex_lock(&loop->lock);
	loop_enter(loop, op);
	if (!loop->led)
		loop_lead(loop, NULL);
	pthread_mutex_unlock(&loop->lock);
}

void
loop_finish(struct loop *loop, struct op *op)
{
	pthread_mutex_lock(&loop->lock);
	loop_await(loop, op);
	pthread_mutex_unlock(&loop->lock);
	pthread_cond_destroy(&op->changed);
}

void
loop_call_two(struct loop *loop, struct op *op, struct op *also)
{
	pthread_mutex_lock(&loop->lock);
	loop_enter(loop, op);
	if (also != NULL)
		loop_enter(loop, also);
	loop_await(loop, op);
	if (also != NULL)
		loop_await(loop, also);
	pthread_mutex_unlock(&loop->lock);
	pthread_cond_destroy(&op->changed);
	if (also != NULL)
		pthread_cond_destroy(&also->changed);
}

void
loop_call(struct loop *loop, struct op *op)
{
	loop_call_two(loop, op, NULL);
}

void
loop_done(struct loop *loop, struct op *op)
{
	pthread_mutex_lock(&loop->lock);
	op->done = true;
	loop->flush |= op->flush;
	loop_unfollow(loop, op);
	pthread_cond_signal(&op->changed);
	pthread_mutex_unlock(&loop->lock);
}
