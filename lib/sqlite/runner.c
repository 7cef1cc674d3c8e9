/* SPDX-License-Identifier: MIT */
/*
 * Who does the database's work: the I/O thread, or the loop itself.
 *
 * A daemon's loop must never stand still, so it has the thread from the start. A
 * program that submits one task and waits for nothing else would wait for the thread:
 * to make it, and to hand each job over and back, takes longer than all that SQLite
 * does. There the loop does the work, as long as it may; the first time that it may
 * not, the thread is made and stays.
 */
#include <event2/event.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sqlite/io.h"
#include "util/limits.h"

/* Signals are for the program's own threads. */
static int
runner_create(struct database *db, struct err *err)
{
	sigset_t all, old;
	int status;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	status = pthread_create(&db->thread, NULL, io_thread, db);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status == 0 ? 0 : limits_no_thread(status, err);
}

/* An event with the thread's descriptor in the place of the one without. */
static int
runner_make_event(struct database *db, struct err *err)
{
	struct event *event = NULL;
	const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd >= 0)
		event = event_new(db->base, fd, EV_READ | EV_PERSIST,
				  event_get_callback(db->event),
				  event_get_callback_arg(db->event));
	if (event == NULL || event_add(event, NULL) != 0) {
		if (event != NULL)
			event_free(event);
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_SYSTEM,
			       "cannot make an event descriptor");
	}
	event_free(db->event);
	db->event = event;
	db->event_fd = fd;
	return 0;
}

int
runner_start(struct database *db, struct err *err)
{
	if (db->event_fd < 0 && runner_make_event(db, err) != 0)
		return -1;
	pthread_mutex_lock(&db->lock);
	db->threaded = true;
	/* The event that is gone may have been told of something. */
	db->signalled = false;
	io_tell_loop(db);
	pthread_mutex_unlock(&db->lock);
	if (runner_create(db, err) == 0)
		return 0;
	db->threaded = false;
	return -1;
}

bool
runner_answer(struct database *db)
{
	uint64_t count;

	if (db->threaded)
		/* Else it was read by a call before this one. */
		return read(db->event_fd, &count, sizeof(count)) >= 0;
	/* Without a thread to be had, the loop blocks rather than never work. */
	return db->may_block(db->may_block_arg) || runner_start(db, NULL) != 0;
}

/* What has to be tried again later is the thread's, which can wait for it. */
bool
runner_spare(struct database *db)
{
	bool waits;

	if (db->threaded || db->stopping)
		return false;
	if (!db->wants_thread && io_step(db))
		return true;
	waits =
	    db->wants_thread || db->state == DOWN || !TAILQ_EMPTY(&db->held);
	pthread_mutex_unlock(&db->lock);
	if (waits)
		runner_start(db, NULL);
	pthread_mutex_lock(&db->lock);
	return false;
}

/* The thread looks at the queue again before it sleeps, and the loop before it
 * ends its answers. */
void
runner_tell(struct database *db)
{
	if (db->threaded)
		pthread_cond_signal(&db->work);
	else if (!db->answering)
		io_tell_loop(db);
}

void
runner_await(struct database *db)
{
	if (db->threaded)
		pthread_cond_wait(&db->left, &db->lock);
	else
		io_step(db);
}

void
runner_end(struct database *db)
{
	pthread_mutex_lock(&db->lock);
	db->stopping = true;
	pthread_cond_signal(&db->work);
	pthread_mutex_unlock(&db->lock);
	if (db->threaded)
		pthread_join(db->thread, NULL);
	else
		io_end(db);
}
