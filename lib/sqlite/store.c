/* SPDX-License-Identifier: MIT */
/* The database as the loop sees it: jobs, answers, and who uses it. */
#include "sqlite/store.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sqlite/io.h"
#include "util/path.h"

static const char SCHEME[] = "sqlite://";

/* All that this process has open, for broker and backend to find each other. */
static pthread_mutex_t stores_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, store) stores = LIST_HEAD_INITIALIZER(stores);

/* --- the loop: answers ------------------------------------------------- */

static void store_free(struct store *s);

static void
on_port(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	struct store_user *user, *next;

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

/* --- the loop: jobs ---------------------------------------------------- */

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

/* --- opening and closing ----------------------------------------------- */

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
	} else if ((path = path_database()) != NULL) {
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
			    .description = options->description,
			    .on_upgrade = io_on_upgrade,
			    .on_upgrade_arg = s,
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
		if (s->base == options->base &&
		    s->tx.description == options->description &&
		    strcmp(s->name, name) == 0)
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
			io_tell_loop(s);
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
