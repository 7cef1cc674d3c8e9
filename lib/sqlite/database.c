/* SPDX-License-Identifier: MIT */
/*
 * The database as the loop sees it: jobs, answers, and who uses it.
 *
 * The loop puts jobs into `queue` and takes them from `done`; in between they
 * are the I/O thread's (io.c), which signals by an eventfd that there are
 * answers. Callbacks are called without the lock, and may do all that the
 * header offers, also leave.
 */
#include "sqlite/database.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite/fork_guard.h"
#include "sqlite/io.h"
#include "util/path.h"

static const char SCHEME[] = "sqlite://";

/* All that this process has open, for broker and backend to find each other.
 * Loops may run in several threads (the client library), hence the lock; it is
 * taken before that of a database. */
static pthread_mutex_t databases_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, database) databases = LIST_HEAD_INITIALIZER(databases);

/* --- the loop: answers ------------------------------------------------- */

static void database_free(struct database *db);

/* Another process has changed something, or may have: every user looks. */
static void
database_on_woken(evutil_socket_t fd, short what, void *arg)
{
	struct database *db = arg;
	struct database_user *user, *next;

	wake_socket_drain(&db->tx.socket);
	for (user = LIST_FIRST(&db->users); user != NULL; user = next) {
		next = LIST_NEXT(user, link);
		if (user->on_wake != NULL)
			user->on_wake(user);
	}
}

/* The thread has made the socket: what woke it since waits there. Without the
 * event, for lack of memory, a worker's heartbeat finds what was missed. */
static void
watch_wake_socket(struct database *db)
{
	db->wake_event = event_new(db->base, db->tx.socket.fd,
				   EV_READ | EV_PERSIST, database_on_woken, db);
	if (db->wake_event != NULL)
		event_add(db->wake_event, NULL);
}

static bool
database_works(enum state state)
{
	return state == UP || state == ASLEEP;
}

/*
 * Lock held, but not while a user is told. Returns whether there was one: the
 * list may have changed meanwhile, so the caller begins again. A trouble is
 * told as a state that is up: the file is open, and jobs are tried again.
 */
static bool
database_tell_state(struct database *db)
{
	struct database_user *user;
	struct err why;
	enum state state = db->state;

	LIST_FOREACH (user, &db->users, link) {
		if (user->told != db->changes && state != OPENING) {
			user->told = db->changes;
			why = db->why;
		} else if (user->told_trouble != db->troubles) {
			user->told_trouble = db->troubles;
			why = db->trouble;
			state = OPENING;
		} else {
			continue;
		}
		pthread_mutex_unlock(&db->lock);
		user->on_state(user, database_works(state) || state == OPENING,
			       state == REFUSED,
			       database_works(state) ? NULL : &why);
		pthread_mutex_lock(&db->lock);
		return true;
	}
	return false;
}

/* Lock held, but not while somebody is called back. States first: users know the
 * cause before their jobs fail by it. */
static void
database_answer(struct database *db)
{
	struct database_job *job;

	while (!db->dead && database_tell_state(db))
		;
	while (!db->dead && (job = TAILQ_FIRST(&db->done)) != NULL) {
		TAILQ_REMOVE(&db->done, job, link);
		job->place = NOWHERE;
		pthread_mutex_unlock(&db->lock);
		job->done(job, job->err.code != ERR_NONE ? &job->err : NULL);
		pthread_mutex_lock(&db->lock);
	}
}

static void
database_on_answers(evutil_socket_t fd, short what, void *arg)
{
	struct database *db = arg;

	if (!runner_answer(db))
		return;
	db->answering = true;
	pthread_mutex_lock(&db->lock);
	do {
		db->signalled = false;
		if (db->socket_made && db->wake_event == NULL)
			watch_wake_socket(db);
		database_answer(db);
	} while (!db->dead && runner_spare(db));
	pthread_mutex_unlock(&db->lock);
	db->answering = false;
	/* A callback let the last user leave: nobody else frees it. */
	if (db->dead)
		database_free(db);
}

/* --- the loop: jobs ---------------------------------------------------- */

/* Only the first job of an empty queue signals. */
void
database_post(struct database_user *user, struct database_job *job)
{
	struct database *db = user->database;

	pthread_mutex_lock(&db->lock);
	job->user = user;
	job->place = IN_QUEUE;
	user->under_way++;
	if (TAILQ_EMPTY(&db->queue))
		runner_tell(db);
	TAILQ_INSERT_TAIL(&db->queue, job, link);
	pthread_mutex_unlock(&db->lock);
}

bool
database_cancel(struct database_job *job)
{
	struct database *db;
	bool was_there;

	if (job->user == NULL)
		return false;
	db = job->user->database;
	pthread_mutex_lock(&db->lock);
	was_there = job->place == IN_QUEUE || job->place == IN_HELD;
	if (job->place == IN_QUEUE) {
		TAILQ_REMOVE(&db->queue, job, link);
		job->user->under_way--;
	} else if (job->place == IN_HELD) {
		TAILQ_REMOVE(&db->held, job, link);
	}
	if (was_there)
		job->place = NOWHERE;
	pthread_mutex_unlock(&db->lock);
	return was_there;
}

/* Not before the user was told so: it must not act on what it does not know. */
bool
database_is_up(const struct database_user *user)
{
	struct database *db = user->database;
	bool up;

	pthread_mutex_lock(&db->lock);
	up = database_works(db->state) && user->told == db->changes;
	pthread_mutex_unlock(&db->lock);
	return up;
}

const char *
database_name(const struct database_user *user)
{
	return user->database->name;
}

const char *
database_file(const struct database_user *user)
{
	return user->database->path;
}

/* --- opening and closing ----------------------------------------------- */

/* The thread has ended, or was never started. */
static void
database_free(struct database *db)
{
	if (db->event != NULL)
		event_free(db->event);
	if (db->event_fd >= 0)
		close(db->event_fd);
	pthread_mutex_destroy(&db->lock);
	pthread_cond_destroy(&db->work);
	pthread_cond_destroy(&db->left);
	free(db->tx.wakes);
	free(db->name);
	free(db);
}

/* "sqlite:///path", whatever was given. */
static char *
database_url(const char *url, struct err *err)
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
		/* SQLAlchemy's way to write an absolute path. */
		while (url[1] == '/')
			url++;
		if (asprintf(&full, "%s%s", SCHEME, url) < 0)
			full = NULL;
	} else if ((path = path_database(err)) == NULL) {
		return NULL;
	} else {
		if (asprintf(&full, "%s%s", SCHEME, path) < 0)
			full = NULL;
		free(path);
	}
	if (full == NULL)
		err_nomem(err);
	return full;
}

int
database_check_url(const char *url, struct err *err)
{
	char *full = database_url(url, err);

	free(full);
	return full != NULL ? 0 : -1;
}

char *
database_path(const char *url, struct err *err)
{
	char *path = database_url(url, err);

	if (path != NULL)
		memmove(path, path + strlen(SCHEME),
			strlen(path) - strlen(SCHEME) + 1);
	return path;
}

char *
database_url_name(const char *url, struct err *err)
{
	char *full = database_url(url, err), *path, *name = NULL;

	if (full == NULL)
		return NULL;
	path = path_canonical(full + strlen(SCHEME));
	if (path == NULL || asprintf(&name, "%s%s", SCHEME, path) < 0) {
		name = NULL;
		err_nomem(err);
	}
	free(path);
	free(full);
	return name;
}

/* Waits of the thread are by the monotonic clock, as all times of io.h. */
static void
database_init_waits(struct database *db)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&db->lock, NULL);
	pthread_cond_init(&db->left, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&db->work, &attr);
	pthread_condattr_destroy(&attr);
}

/* Who may let the loop block begins without the thread, with the opening as what
 * is due. */
static int
database_begin(struct database *db, struct err *err)
{
	db->event_fd = -1;
	db->event = event_new(db->base, -1, EV_READ | EV_PERSIST,
			      database_on_answers, db);
	if (db->event == NULL)
		return err_nomem(err);
	if (db->may_block == NULL)
		return runner_start(db, err);
	io_tell_loop(db);
	return 0;
}

/* Takes `name`, also when it fails. NULL with *err. */
static struct database *
database_new(const struct database_options *options, char *name,
	     struct err *err)
{
	struct database *db = calloc(1, sizeof(*db));

	if (db == NULL) {
		free(name);
		err_nomem(err);
		return NULL;
	}
	db->base = options->base;
	db->name = name;
	db->path = name + strlen(SCHEME);
	db->creates = options->creates || options->worker;
	db->lazy = options->lazy;
	db->may_block = options->may_block;
	db->may_block_arg = options->may_block_arg;
	db->tx = (struct tx){.path = db->path,
			     .name = db->path,
			     .default_place = options->url == NULL ||
					      options->url[0] == '\0',
			     .worker = options->worker,
			     .description = options->description,
			     .on_upgrade = io_on_upgrade,
			     .on_upgrade_arg = db,
			     .timeout_ms = options->timeout_ms,
			     .socket = WAKE_SOCKET_INIT};
	LIST_INIT(&db->users);
	TAILQ_INIT(&db->queue);
	TAILQ_INIT(&db->held);
	TAILQ_INIT(&db->done);
	database_init_waits(db);
	if (database_begin(db, err) != 0) {
		database_free(db);
		return NULL;
	}
	return db;
}

int
database_join(struct database_user *user,
	      const struct database_options *options, struct err *err)
{
	char *name = database_url(options->url, err);
	struct database *db;

	if (name == NULL)
		return -1;
	/* Before the lock, which a thread of the parent may have held. */
	if (fork_guard_enter(err) != 0) {
		free(name);
		return -1;
	}
	pthread_mutex_lock(&databases_lock);
	LIST_FOREACH (db, &databases, link)
		if (db->base == options->base &&
		    db->tx.description == options->description &&
		    strcmp(db->name, name) == 0)
			break;
	if (db != NULL) {
		free(name);
	} else if ((db = database_new(options, name, err)) != NULL) {
		LIST_INSERT_HEAD(&databases, db, link);
	}
	if (db != NULL) {
		pthread_mutex_lock(&db->lock);
		user->database = db;
		user->told_trouble = db->troubles;
		LIST_INSERT_HEAD(&db->users, user, link);
		/* One that joins later learns the state, too; an old trouble is
		 * none of its own. */
		if (db->changes > 0)
			io_tell_loop(db);
		pthread_mutex_unlock(&db->lock);
	}
	pthread_mutex_unlock(&databases_lock);
	if (db == NULL)
		fork_guard_leave();
	return db != NULL ? 0 : -1;
}

/* Lock held. Removes the jobs of a user without an answer. */
static void
database_drop_jobs(struct database_user *user, struct database_jobs *list)
{
	struct database_job *job, *next;

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

/* Ends the work for a database that nobody uses any more. */
static void
database_end(struct database *db)
{
	/* Before the thread closes the socket. */
	if (db->wake_event != NULL)
		event_free(db->wake_event);
	db->wake_event = NULL;
	runner_end(db);
	/* From a callback: database_on_answers() still uses it. */
	if (db->answering)
		db->dead = true;
	else
		database_free(db);
}

void
database_leave(struct database_user *user)
{
	struct database *db = user->database;
	bool last;

	if (db == NULL)
		return;
	pthread_mutex_lock(&databases_lock);
	pthread_mutex_lock(&db->lock);
	/* Held jobs failed before, and may for long: they are given up. What
	 * is queued gets its one try, with little patience for locks. */
	user->leaving = true;
	atomic_store(&db->tx.hurry, true);
	database_drop_jobs(user, &db->held);
	while (user->under_way > 0)
		runner_await(db);
	atomic_store(&db->tx.hurry, false);
	database_drop_jobs(user, &db->done);
	LIST_REMOVE(user, link);
	last = LIST_EMPTY(&db->users);
	if (last)
		LIST_REMOVE(db, link);
	pthread_mutex_unlock(&db->lock);
	pthread_mutex_unlock(&databases_lock);
	user->database = NULL;
	if (last)
		database_end(db);
	fork_guard_leave();
}
