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

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/clock.h"
#include "util/limits.h"
#include "util/sigpipe.h"

/* A lead that begins this soon after the last one need not look again. One call
 * after the other is sooner; a server that ends takes longer. */
#define LOOKED_US 1000

TAILQ_HEAD(op_list, op);

struct loop {
	struct event_base *base;
	struct event *wake;
	struct loop_direct direct;
	void (*after)(void *arg); /* see loop_set_after(); NULL */
	void *after_arg;
	int wake_fd;
	pthread_mutex_t lock;
	bool led;		  /* a thread runs the base */
	bool woken;		  /* the leader has been told of `fresh` */
	bool flush;		  /* turn once more before the lead ends */
	int64_t looked_us;	  /* at the end of the last lead */
	unsigned int n_ops;	  /* not done; of these, */
	unsigned int n_blocking;  /* those that may block */
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

struct loop *
loop_new(struct err *err)
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
	if (loop->wake == NULL || event_add(loop->wake, NULL) != 0) {
		err_nomem(err);
		goto fail_base;
	}
	pthread_mutex_init(&loop->lock, NULL);
	TAILQ_INIT(&loop->fresh);
	TAILQ_INIT(&loop->followers);
	return loop;
fail_base:
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

void
loop_set_after(struct loop *loop, void (*after)(void *arg), void *arg)
{
	pthread_mutex_lock(&loop->lock);
	loop->after = after;
	loop->after_arg = arg;
	pthread_mutex_unlock(&loop->lock);
}

/* --- the lead ---------------------------------------------------------- */

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

/* Lock held, by who leads. */
static void
loop_tell_after(struct loop *loop)
{
	if (loop->after != NULL)
		loop->after(loop->after_arg);
}

/* Lock held. One turn of the loop. A connection with TLS may have been made since the
 * last one. */
static void
loop_turn(struct loop *loop, int flags, struct sigpipe *old)
{
	pthread_mutex_unlock(&loop->lock);
	sigpipe_block(old);
	event_base_loop(loop->base, flags);
	pthread_mutex_lock(&loop->lock);
	loop_tell_after(loop);
}

static bool
loop_has_looked(const struct loop *loop)
{
	return clock_mono_us() - loop->looked_us <= LOOKED_US;
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
	bool can;

	if (op == NULL || !op->direct || direct->look == NULL ||
	    TAILQ_FIRST(&loop->fresh) != op || TAILQ_NEXT(op, next_new) != NULL)
		return false;
	pthread_mutex_unlock(&loop->lock);
	can = loop_has_looked(loop) || direct->look(direct->arg);
	pthread_mutex_lock(&loop->lock);
	if (!can)
		return false;
	loop_start_fresh(loop);
	pthread_mutex_unlock(&loop->lock);
	direct->push(direct->arg);
	pthread_mutex_lock(&loop->lock);
	return true;
}

/* Lock held. Sets off what is new. */
static void
loop_set_off(struct loop *loop, const struct op *op, struct sigpipe *old)
{
	if (loop_go_direct(loop, op))
		return;
	/* Nobody may have looked for a long time: see first which connections
	 * have broken, before something is sent on them. */
	if (!loop_has_looked(loop))
		loop_turn(loop, EVLOOP_NONBLOCK, old);
	loop_start_fresh(loop);
	if (op == NULL)
		loop_turn(loop, EVLOOP_NONBLOCK, old);
}

/*
 * Lock held. Runs the loop until `op` is done; with NULL just long enough to
 * set off what is new.
 */
static void
loop_lead(struct loop *loop, const struct op *op)
{
	struct sigpipe old = {.blocked = false};

	loop->led = true;
	/* Operations may write as they are set off. */
	sigpipe_block(&old);
	loop_set_off(loop, op, &old);
	while (op != NULL && !op->done) {
		loop_turn(loop, EVLOOP_ONCE, &old);
		loop_start_fresh(loop);
	}
	if (loop->flush)
		loop_turn(loop, EVLOOP_NONBLOCK, &old);
	loop->flush = false;
	loop->looked_us = clock_mono_us();
	loop_tell_after(loop);
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
	loop->n_ops++;
	loop->n_blocking += op->blocks;
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
loop_dispatch(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	if (!loop->led)
		loop_lead(loop, NULL);
	pthread_mutex_unlock(&loop->lock);
}

bool
loop_is_done(struct loop *loop, const struct op *op)
{
	bool done;

	pthread_mutex_lock(&loop->lock);
	done = op->done;
	pthread_mutex_unlock(&loop->lock);
	return done;
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
	loop->n_ops--;
	loop->n_blocking -= op->blocks;
	loop->flush |= op->flush;
	loop_unfollow(loop, op);
	pthread_cond_signal(&op->changed);
	pthread_mutex_unlock(&loop->lock);
}

/* What an operation has left behind is done for its caller, who still leads. */
bool
loop_may_block(struct loop *loop)
{
	bool may;

	pthread_mutex_lock(&loop->lock);
	may = loop->n_ops == loop->n_blocking;
	pthread_mutex_unlock(&loop->lock);
	return may;
}
