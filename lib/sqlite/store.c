/* SPDX-License-Identifier: MIT */
/*
 * The database's I/O thread, its queue, and the way of answers to the loop.
 *
 * The lock guards all of struct store below it. The thread holds it only to
 * take jobs and to hand them back; `tx` is the thread's alone. A job is in
 * `queue`, then under way, then in `done`; one that must succeed and did not
 * is in `held` until the next try.
 */
#include "sqlite/store.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sqlite/file.h"
#include "util/clock.h"
#include "util/place.h"

/* One transaction takes no more than this, so that its answers do not wait for
 * too much else. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (4u << 20)
/* Before the next try: with jobs that must succeed, and to open the file. */
#define HELD_MS 250
#define REOPEN_MS 1000
/* What is to be on disk soon is flushed after so long without work. */
#define SOON_MS 1000

static const char SCHEME[] = "sqlite://";

enum place { NOWHERE, IN_QUEUE, UNDER_WAY, IN_HELD, IN_DONE };
enum state { OPENING, UP, DOWN, REFUSED };

struct store {
	LIST_ENTRY(store) link;
	struct event_base *base;
	struct event *event;	  /* answers are there */
	struct event *port_event; /* this process was woken */
	int event_fd;
	char *name; /* the URL */
	char *path; /* within it */
	struct tx tx;
	pthread_t thread;
	bool answering; /* callbacks are being called */
	bool dead;	/* and one of them was the last to leave */

	pthread_mutex_t lock;
	pthread_cond_t work, left;
	LIST_HEAD(, store_user) users;
	struct store_jobs queue, held, done;
	int64_t held_until_ms, reopen_ms, soon_ms; /* 0: none */
	bool stopping;
	bool signalled;
	enum state state;
	struct err why;	      /* DOWN, REFUSED */
	unsigned int changes; /* of the state */
	struct err trouble;
	unsigned int troubles;
	bool troubled; /* and nothing succeeded since */
	bool port_made;
};

/* All that this process has open, for broker and backend to find each other. */
static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, store) stores = LIST_HEAD_INITIALIZER(stores);

/* --- the I/O thread: answers -----------------------------------------------
 */

/* Lock held. */
static void
tell_loop(struct store *s)
{
	static const uint64_t one = 1;

	if (!s->signalled && write(s->event_fd, &one, sizeof(one)) >= 0)
		s->signalled = true;
}

/* Lock held. */
static void
hand_back(struct store *s, struct store_job *job, const struct err *err)
{
	job->err.code = ERR_NONE;
	if (err != NULL)
		job->err = *err;
	if (--job->user->under_way == 0)
		pthread_cond_broadcast(&s->left);
	job->place = IN_DONE;
	TAILQ_INSERT_TAIL(&s->done, job, link);
	tell_loop(s);
}

/* Lock held. */
static void
keep(struct store *s, struct store_job *job)
{
	job->place = IN_HELD;
	TAILQ_INSERT_TAIL(&s->held, job, link);
	if (--job->user->under_way == 0)
		pthread_cond_broadcast(&s->left);
}

/* Lock held. The jobs of `list` failed: answers them, or keeps them. */
static void
fail(struct store *s, struct store_jobs *list, const struct err *why)
{
	struct store_job *job;

	while ((job = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, job, link);
		if (job->must && !job->user->leaving)
			keep(s, job);
		else
			hand_back(s, job, why);
	}
}

/* Lock held. Said once, until something succeeds. */
static void
complain(struct store *s, const struct err *why)
{
	if (!s->troubled) {
		s->troubled = true;
		s->trouble = *why;
		s->troubles++;
		tell_loop(s);
	}
	s->held_until_ms = clock_mono_ms() + HELD_MS;
}

/* Lock held. */
static void
enter_state(struct store *s, enum state state, const struct err *why)
{
	s->state = state;
	if (why != NULL)
		s->why = *why;
	s->changes++;
	tell_loop(s);
}

/* --- the I/O thread: batches -----------------------------------------------
 */

/* Lock held. */
static void
take(struct store_jobs *from, struct store_jobs *batch, size_t *rows,
     size_t *bytes)
{
	struct store_job *job;

	while ((job = TAILQ_FIRST(from)) != NULL &&
	       (TAILQ_EMPTY(batch) ||
		(*rows < BATCH_ROWS && *bytes < BATCH_BYTES))) {
		TAILQ_REMOVE(from, job, link);
		if (job->place == IN_HELD)
			job->user->under_way++;
		job->place = UNDER_WAY;
		TAILQ_INSERT_TAIL(batch, job, link);
		*rows += job->rows > 0 ? job->rows : 1;
		*bytes += job->bytes;
	}
}

static int
run_batch(struct store *s, const struct store_jobs *batch, struct err *err)
{
	enum store_sync sync = STORE_LATER;
	struct store_job *job;
	bool writes = false;

	TAILQ_FOREACH (job, batch, link) {
		writes = writes || !job->reads;
		if (job->sync > sync)
			sync = job->sync;
	}
	if (file_begin(&s->tx, writes, sync, err) != 0)
		return -1;
	TAILQ_FOREACH (job, batch, link)
		if (job->run(job, &s->tx, err) != 0)
			return -1;
	if (file_commit(&s->tx, err) != 0)
		return -1;
	if (sync == STORE_NOW)
		s->soon_ms = 0;
	else if (sync == STORE_SOON && s->soon_ms == 0)
		s->soon_ms = clock_mono_ms() + SOON_MS;
	return 0;
}

/* Lock held. The batch ended: err is NULL or says why. */
static void
end_batch(struct store *s, struct store_jobs *batch, const struct err *err)
{
	struct store_job *job;

	if (err != NULL) {
		complain(s, err);
		fail(s, batch, err);
		return;
	}
	s->troubled = false;
	while ((job = TAILQ_FIRST(batch)) != NULL) {
		TAILQ_REMOVE(batch, job, link);
		hand_back(s, job, NULL);
	}
}

/* Finds out which of them it was, and lets the others pass. */
static void
run_one_by_one(struct store *s, struct store_jobs *batch)
{
	struct store_jobs single = TAILQ_HEAD_INITIALIZER(single);
	struct store_job *job;
	struct err err;
	int result;

	while ((job = TAILQ_FIRST(batch)) != NULL) {
		TAILQ_REMOVE(batch, job, link);
		TAILQ_INSERT_TAIL(&single, job, link);
		if ((result = run_batch(s, &single, &err)) != 0)
			file_rollback(&s->tx);
		pthread_mutex_lock(&s->lock);
		end_batch(s, &single, result == 0 ? NULL : &err);
		pthread_mutex_unlock(&s->lock);
	}
}

/* Lock held, but not while it works. */
static void
work(struct store *s)
{
	struct store_jobs batch = TAILQ_HEAD_INITIALIZER(batch);
	size_t rows = 0, bytes = 0;
	bool general = true;
	struct err err;
	int result;

	if (clock_mono_ms() >= s->held_until_ms)
		take(&s->held, &batch, &rows, &bytes);
	take(&s->queue, &batch, &rows, &bytes);
	pthread_mutex_unlock(&s->lock);
	if ((result = run_batch(s, &batch, &err)) != 0) {
		general = file_failure_is_general(&s->tx);
		file_rollback(&s->tx);
	}
	if (!general)
		run_one_by_one(s, &batch);
	pthread_mutex_lock(&s->lock);
	s->port_made = s->tx.port.fd >= 0;
	if (general)
		end_batch(s, &batch, result == 0 ? NULL : &err);
	pthread_mutex_unlock(&s->lock);
	file_checkpoint(&s->tx, false);
	pthread_mutex_lock(&s->lock);
}

/* Lock held, but not while it works. */
static void
tidy(struct store *s)
{
	bool more;

	s->soon_ms = 0;
	pthread_mutex_unlock(&s->lock);
	file_checkpoint(&s->tx, true);
	more = file_shrink(&s->tx);
	pthread_mutex_lock(&s->lock);
	if (more)
		s->soon_ms = clock_mono_ms() + SOON_MS;
}

/* Lock held, but not while it works. */
static void
reopen(struct store *s)
{
	bool final = false;
	struct err err;
	int result;

	pthread_mutex_unlock(&s->lock);
	result = file_open(&s->tx, &final, &err);
	pthread_mutex_lock(&s->lock);
	s->reopen_ms = clock_mono_ms() + REOPEN_MS;
	if (result == 0)
		enter_state(s, UP, NULL);
	else
		enter_state(s, final ? REFUSED : DOWN, &err);
}

/* Lock held. Sleeps until there is work, or until a time (0: for ever). */
static void
sleep_until(struct store *s, int64_t until_ms)
{
	struct timespec at;

	if (until_ms == 0) {
		pthread_cond_wait(&s->work, &s->lock);
		return;
	}
	at = (struct timespec){.tv_sec = until_ms / 1000,
			       .tv_nsec = until_ms % 1000 * 1000000};
	pthread_cond_timedwait(&s->work, &s->lock, &at);
}

/* Lock held. One turn while the file is not open. */
static void
turn_closed(struct store *s)
{
	if (s->state != OPENING)
		fail(s, &s->queue, &s->why);
	if (s->state == REFUSED)
		sleep_until(s, 0);
	else if (s->state == OPENING || clock_mono_ms() >= s->reopen_ms)
		reopen(s);
	else
		sleep_until(s, s->reopen_ms);
}

/* Lock held. One turn while it is. */
static void
turn_open(struct store *s)
{
	int64_t now = clock_mono_ms(), until = s->soon_ms;

	if (!TAILQ_EMPTY(&s->queue) ||
	    (!TAILQ_EMPTY(&s->held) && now >= s->held_until_ms)) {
		work(s);
		return;
	}
	if (until != 0 && now >= until) {
		tidy(s);
		return;
	}
	if (!TAILQ_EMPTY(&s->held) && (until == 0 || s->held_until_ms < until))
		until = s->held_until_ms;
	sleep_until(s, until);
}

static void *
io_thread(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		if (s->state == UP)
			turn_open(s);
		else
			turn_closed(s);
	}
	pthread_mutex_unlock(&s->lock);
	file_close(&s->tx);
	port_done(&s->tx.port);
	return NULL;
}

/* --- the loop: answers -----------------------------------------------------
 */

static void store_free(struct store *s);

static void
on_port(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	struct store_user *user, *next;

	(void)fd;
	(void)what;
	port_drain(&s->tx.port);
	for (user = LIST_FIRST(&s->users); user != NULL; user = next) {
		next = LIST_NEXT(user, link);
		if (user->on_wake != NULL)
			user->on_wake(user);
	}
}

/* The thread has made the port: what woke it since waits in the socket. */
static void
watch_port(struct store *s)
{
	s->port_event =
	    event_new(s->base, s->tx.port.fd, EV_READ | EV_PERSIST, on_port, s);
	if (s->port_event != NULL)
		event_add(s->port_event, NULL);
}

/* Lock held, but not while a user is told. Returns whether there was one. */
static bool
tell_state(struct store *s)
{
	struct store_user *user;
	struct err why;
	enum state state = s->state;

	LIST_FOREACH (user, &s->users, link) {
		if (user->told != s->changes) {
			user->told = s->changes;
			why = s->why;
		} else if (user->told_trouble != s->troubles) {
			user->told_trouble = s->troubles;
			why = s->trouble;
			state = OPENING;
		} else {
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		user->on_state(user, state == UP || state == OPENING,
			       state == REFUSED, state == UP ? NULL : &why);
		pthread_mutex_lock(&s->lock);
		return true;
	}
	return false;
}

static void
on_answers(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	struct store_job *job;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	s->answering = true;
	pthread_mutex_lock(&s->lock);
	s->signalled = false;
	if (s->port_made && s->port_event == NULL)
		watch_port(s);
	while (!s->dead && tell_state(s))
		;
	while (!s->dead && (job = TAILQ_FIRST(&s->done)) != NULL) {
		TAILQ_REMOVE(&s->done, job, link);
		job->place = NOWHERE;
		pthread_mutex_unlock(&s->lock);
		job->done(job, job->err.code != ERR_NONE ? &job->err : NULL);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	s->answering = false;
	if (s->dead)
		store_free(s);
}

/* --- the loop: jobs --------------------------------------------------------
 */

void
store_post(struct store_user *user, struct store_job *job)
{
	struct store *s = user->store;

	pthread_mutex_lock(&s->lock);
	job->user = user;
	job->place = IN_QUEUE;
	user->under_way++;
	if (TAILQ_EMPTY(&s->queue))
		pthread_cond_signal(&s->work);
	TAILQ_INSERT_TAIL(&s->queue, job, link);
	pthread_mutex_unlock(&s->lock);
}

bool
store_cancel(struct store_job *job)
{
	struct store *s;
	bool was_there;

	if (job->user == NULL)
		return false;
	s = job->user->store;
	pthread_mutex_lock(&s->lock);
	was_there = job->place == IN_QUEUE || job->place == IN_HELD;
	if (job->place == IN_QUEUE) {
		TAILQ_REMOVE(&s->queue, job, link);
		job->user->under_way--;
	} else if (job->place == IN_HELD) {
		TAILQ_REMOVE(&s->held, job, link);
	}
	if (was_there)
		job->place = NOWHERE;
	pthread_mutex_unlock(&s->lock);
	return was_there;
}

bool
store_is_up(const struct store_user *user)
{
	struct store *s = user->store;
	bool up;

	pthread_mutex_lock(&s->lock);
	up = s->state == UP && user->told == s->changes;
	pthread_mutex_unlock(&s->lock);
	return up;
}

const char *
store_name(const struct store_user *user)
{
	return user->store->name;
}

/* --- opening and closing ---------------------------------------------------
 */

static void
store_free(struct store *s)
{
	if (s->event != NULL)
		event_free(s->event);
	if (s->event_fd >= 0)
		close(s->event_fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->left);
	free(s->tx.wakes);
	free(s->name);
	free(s);
}

/* "sqlite:///path", whatever was given. */
static char *
full_url(const char *url, struct err *err)
{
	char *path, *full = NULL;

	if (url != NULL && url[0] != '\0') {
		url += strlen(SCHEME);
		if (url[0] != '/' || url[1] == '\0') {
			err_set(err, ERR_CONFIG,
				"sqlite: the path of the file must be "
				"absolute, as in sqlite:///var/lib/flowrra/"
				"flowrra.db");
			return NULL;
		}
		if (asprintf(&full, "%s%s", SCHEME, url) < 0)
			full = NULL;
	} else if ((path = place_database()) != NULL) {
		if (asprintf(&full, "%s%s", SCHEME, path) < 0)
			full = NULL;
		free(path);
	}
	if (full == NULL)
		err_nomem(err);
	return full;
}

static int
start_thread(struct store *s, struct err *err)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int status;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->work, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	status = pthread_create(&s->thread, NULL, io_thread, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (status == 0)
		return 0;
	return err_set(err, ERR_SYSTEM, "cannot start a thread: %s",
		       strerror(status));
}

static struct store *
store_new(const struct store_options *options, char *name, struct err *err)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		free(name);
		err_nomem(err);
		return NULL;
	}
	s->base = options->base;
	s->name = name;
	s->path = name + strlen(SCHEME);
	s->tx = (struct tx){.path = s->path,
			    .name = s->path,
			    .default_place =
				options->url == NULL || options->url[0] == '\0',
			    .worker = options->worker,
			    .timeout_ms = options->timeout_ms,
			    .port = PORT_INIT};
	LIST_INIT(&s->users);
	TAILQ_INIT(&s->queue);
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->done);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->left, NULL);
	s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->event = s->event_fd < 0
		       ? NULL
		       : event_new(s->base, s->event_fd, EV_READ | EV_PERSIST,
				   on_answers, s);
	if (s->event == NULL || event_add(s->event, NULL) != 0) {
		err_set(err, ERR_SYSTEM, "cannot make an event descriptor");
		store_free(s);
		return NULL;
	}
	if (start_thread(s, err) != 0) {
		store_free(s);
		return NULL;
	}
	return s;
}

int
store_join(struct store_user *user, const struct store_options *options,
	   struct err *err)
{
	char *name = full_url(options->url, err);
	struct store *s;

	if (name == NULL)
		return -1;
	pthread_mutex_lock(&stores_lock);
	LIST_FOREACH (s, &stores, link)
		if (s->base == options->base && strcmp(s->name, name) == 0)
			break;
	if (s != NULL) {
		free(name);
	} else if ((s = store_new(options, name, err)) != NULL) {
		LIST_INSERT_HEAD(&stores, s, link);
	}
	if (s != NULL) {
		pthread_mutex_lock(&s->lock);
		user->store = s;
		user->told_trouble = s->troubles;
		LIST_INSERT_HEAD(&s->users, user, link);
		if (s->changes > 0)
			tell_loop(s);
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&stores_lock);
	return s != NULL ? 0 : -1;
}

/* Lock held. */
static void
drop_jobs(struct store_user *user, struct store_jobs *list)
{
	struct store_job *job, *next;

	for (job = TAILQ_FIRST(list); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->user != user)
			continue;
		TAILQ_REMOVE(list, job, link);
		job->place = NOWHERE;
		if (job->drop != NULL)
			job->drop(job);
	}
}

/* Ends the thread of a store that nobody uses any more. */
static void
end_store(struct store *s)
{
	/* Before the thread closes the port. */
	if (s->port_event != NULL)
		event_free(s->port_event);
	s->port_event = NULL;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	if (s->answering)
		s->dead = true;
	else
		store_free(s);
}

void
store_leave(struct store_user *user)
{
	struct store *s = user->store;
	bool last;

	if (s == NULL)
		return;
	pthread_mutex_lock(&stores_lock);
	pthread_mutex_lock(&s->lock);
	user->leaving = true;
	atomic_store(&s->tx.hurry, true);
	drop_jobs(user, &s->held);
	while (user->under_way > 0)
		pthread_cond_wait(&s->left, &s->lock);
	atomic_store(&s->tx.hurry, false);
	drop_jobs(user, &s->done);
	LIST_REMOVE(user, link);
	last = LIST_EMPTY(&s->users);
	if (last)
		LIST_REMOVE(s, link);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&stores_lock);
	user->store = NULL;
	if (last)
		end_store(s);
}
