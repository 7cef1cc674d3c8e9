/* SPDX-License-Identifier: MIT */
/*
 * The database's I/O thread: takes jobs, runs them together, hands them back.
 *
 * It is the only place where a task's way through the embedded store meets the
 * disk. A batch is one transaction: either all of its jobs are answered with a
 * commit, or it is rolled back and none of them happened.
 */
#include "sqlite/io.h"

#include <event2/event.h>
#include <time.h>
#include <unistd.h>

#include "sqlite/checkpoint.h"
#include "sqlite/reserve.h"
#include "util/clock.h"

/* One transaction takes no more than this, so that its answers do not wait for
 * too much else: a thousand rows are some milliseconds, about one flush of a
 * disk. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (4u << 20)
/* Before the next try: with jobs that must succeed, and to open the file. The
 * first is short, since a lock or a full disk may be over at any moment and
 * tasks wait for it; what keeps a file from opening takes a person. */
#define HELD_MS 100
#define REOPEN_MS 1000
/* This long after a commit, what is to be on disk soon is flushed, and the file
 * is tidied up: it bounds what a power cut can take back. */
#define SOON_MS 1000

static const uint64_t one = 1;

/* --- answers ----------------------------------------------------------- */

/* Lock held. One write until the loop has read it: `signalled` keeps a thousand
 * answers from costing a thousand system calls. */
void
io_tell_loop(struct database *db)
{
	if (db->signalled)
		return;
	if (!db->threaded)
		event_active(db->event, EV_READ, 0);
	db->signalled =
	    !db->threaded || write(db->event_fd, &one, sizeof(one)) >= 0;
}

/* Lock held, by who works. The loop would wake at once, and wait for the lock: a
 * thread tells it when the lock is free. */
static void
io_owe_loop(struct database *db)
{
	if (!db->threaded)
		io_tell_loop(db);
	else if (!db->signalled)
		db->owing = db->signalled = true;
}

/* Without the lock. The counter of the descriptor is never full. */
static void
io_pay_loop(struct database *db)
{
	if (db->owing)
		db->owing = write(db->event_fd, &one, sizeof(one)) < 0;
}

/* Lock held. `err` NULL: the job was committed. The loop calls job->done; the
 * user that leaves meanwhile waits until the count is 0. */
static void
io_hand_back(struct database *db, struct database_job *job,
	     const struct err *err)
{
	job->err.code = ERR_NONE;
	if (err != NULL)
		job->err = *err;
	if (--job->user->under_way == 0)
		pthread_cond_broadcast(&db->left);
	job->place = IN_DONE;
	TAILQ_INSERT_TAIL(&db->done, job, link);
	io_owe_loop(db);
}

/* Lock held. The job waits for the next try; it is no longer under way, so its
 * user can leave, which drops it. */
static void
io_keep(struct database *db, struct database_job *job)
{
	job->place = IN_HELD;
	TAILQ_INSERT_TAIL(&db->held, job, link);
	if (--job->user->under_way == 0)
		pthread_cond_broadcast(&db->left);
}

/* Lock held. The jobs of `list` failed: answers them, or keeps them. */
static void
io_fail(struct database *db, struct database_jobs *list, const struct err *why)
{
	struct database_job *job;

	while ((job = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, job, link);
		if (job->must && !job->user->leaving &&
		    !(db->absent && job->absent == DATABASE_FAIL))
			io_keep(db, job);
		else
			io_hand_back(db, job, why);
	}
}

/* Lock held. Said once, until something succeeds. */
static void
io_complain(struct database *db, const struct err *why)
{
	if (!db->troubled) {
		db->troubled = true;
		db->trouble = *why;
		db->troubles++;
		io_owe_loop(db);
	}
	db->held_until_ms = clock_mono_ms() + HELD_MS;
}

/* Lock held. `changes` has each user told once of each change. */
static void
io_enter_state(struct database *db, enum state state, const struct err *why)
{
	db->state = state;
	if (why != NULL)
		db->why = *why;
	db->changes++;
	io_owe_loop(db);
}

/* --- batches ----------------------------------------------------------- */

/* Lock held. Moves jobs into the batch up to its limits, but always one: a job
 * that is larger than a batch runs alone. */
static void
io_take(struct database_jobs *from, struct database_jobs *batch, size_t *rows,
	size_t *bytes)
{
	struct database_job *job;

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

/* Opens the file for the first job that needs it: it was not there before. */
static int
io_open_late(struct database *db, bool create, struct err *err)
{
	bool final;
	int result = file_open(&db->tx, create, &final, err);

	db->absent = result == 1;
	return result == 0 ? 0 : -1;
}

/* After a failure: whether the disk is full, and its reserve may be used. A
 * worker leaves it to those who delete: its own jobs wait for room. */
static bool
io_may_use_reserve(struct database *db, const struct database_jobs *batch)
{
	struct database_job *job;

	if (db->tx.worker || !file_is_full(&db->tx))
		return false;
	TAILQ_FOREACH (job, batch, link)
		if (job->frees)
			return true;
	return false;
}

/*
 * Runs all jobs of a batch in one transaction. It is as safe as the job that
 * asks for most, and takes the writers' lock if any of them writes. 0, or -1
 * with *err: the caller has to roll back.
 */
static int
io_run_batch(struct database *db, const struct database_jobs *batch,
	     struct err *err)
{
	enum database_sync sync = DATABASE_LATER;
	struct database_job *job;
	bool writes = false, create = false;

	TAILQ_FOREACH (job, batch, link) {
		writes = writes || !job->reads;
		create =
		    create || (!job->reads && job->absent == DATABASE_MAKE);
		if (job->sync > sync)
			sync = job->sync;
	}
	if (db->tx.db == NULL && io_open_late(db, create, err) != 0)
		return -1;
	if (file_begin(&db->tx, writes, sync, err) != 0)
		return -1;
	/* With the writers' lock: no other process' log can grow into it. */
	if (db->use_reserve && !reserve_release(db->path, 0))
		return file_say_full(&db->tx, err);
	TAILQ_FOREACH (job, batch, link)
		if (job->run(job, &db->tx, err) != 0)
			return -1;
	if (file_commit(&db->tx, err) != 0)
		return -1;
	if (sync != DATABASE_LATER) {
		db->unflushed = sync == DATABASE_SOON;
		if (db->soon_ms == 0)
			db->soon_ms = clock_mono_ms() + SOON_MS;
	}
	return 0;
}

/* Lock held. The batch ended: err is NULL or says why. */
static void
io_end_batch(struct database *db, struct database_jobs *batch,
	     const struct err *err)
{
	struct database_job *job;

	if (err != NULL) {
		if (!db->tx.gone) /* that is a state of its own */
			io_complain(db, err);
		io_fail(db, batch, err);
		return;
	}
	db->troubled = false;
	while ((job = TAILQ_FIRST(batch)) != NULL) {
		TAILQ_REMOVE(batch, job, link);
		io_hand_back(db, job, NULL);
	}
}

/* Runs a batch again that failed on a full disk and makes room. Then the log,
 * which has grown by it, gives its room back, and the reserve is filled. */
static int
io_run_with_reserve(struct database *db, const struct database_jobs *batch,
		    struct err *err)
{
	int result;

	db->use_reserve = true;
	if ((result = io_run_batch(db, batch, err)) != 0)
		file_rollback(&db->tx);
	db->use_reserve = false;
	file_shrink(&db->tx);
	checkpoint_truncate(&db->tx);
	reserve_fill(db->path);
	return result;
}

/* One job in a transaction of its own; 0, or -1 with *err. */
static int
io_run_single(struct database *db, const struct database_jobs *single,
	      struct err *err)
{
	bool again;

	if (io_run_batch(db, single, err) == 0)
		return 0;
	again = io_may_use_reserve(db, single);
	file_rollback(&db->tx);
	return again ? io_run_with_reserve(db, single, err) : -1;
}

/* After a failure that is one job's own, such as a constraint: each has a
 * transaction of its own, so only that job fails. */
static void
io_run_one_by_one(struct database *db, struct database_jobs *batch)
{
	struct database_jobs single = TAILQ_HEAD_INITIALIZER(single);
	struct database_job *job;
	struct err err;
	int result;

	while ((job = TAILQ_FIRST(batch)) != NULL) {
		TAILQ_REMOVE(batch, job, link);
		TAILQ_INSERT_TAIL(&single, job, link);
		result = io_run_single(db, &single, &err);
		pthread_mutex_lock(&db->lock);
		io_end_batch(db, &single, result == 0 ? NULL : &err);
		pthread_mutex_unlock(&db->lock);
		io_pay_loop(db);
	}
}

/* Lock held, but not while it works. Held jobs first: they are older than what
 * is in the queue. */
static void
io_work(struct database *db)
{
	struct database_jobs batch = TAILQ_HEAD_INITIALIZER(batch);
	size_t rows = 0, bytes = 0;
	bool general = true;
	struct err err;
	int result;

	if (clock_mono_ms() >= db->held_until_ms)
		io_take(&db->held, &batch, &rows, &bytes);
	io_take(&db->queue, &batch, &rows, &bytes);
	pthread_mutex_unlock(&db->lock);
	io_pay_loop(db);
	if ((result = io_run_batch(db, &batch, &err)) != 0) {
		general = file_failure_is_general(&db->tx) &&
			  !io_may_use_reserve(db, &batch);
		file_rollback(&db->tx);
	}
	if (!general)
		io_run_one_by_one(db, &batch);
	pthread_mutex_lock(&db->lock);
	/* Some job may have been the first to ask for the wake socket. */
	db->socket_made = db->tx.socket.fd >= 0;
	if (general)
		io_end_batch(db, &batch, result == 0 ? NULL : &err);
	pthread_mutex_unlock(&db->lock);
	io_pay_loop(db);
	/* A file that is gone is closed, and what would go into it is lost:
	 * jobs fail from now on rather than succeed in vain. */
	if (db->tx.gone)
		file_close(&db->tx);
	else
		checkpoint_if_long(&db->tx, false);
	pthread_mutex_lock(&db->lock);
	if (db->tx.gone)
		io_enter_state(db, REFUSED, &err);
}

/*
 * Lock held, but not while it works. The checkpoint flushes the log, so it is
 * what puts DATABASE_SOON on disk. If many pages are free, some are given back
 * now and some with the next turn, so that jobs do not wait for all of them.
 */
static void
io_tidy(struct database *db)
{
	bool more;

	db->soon_ms = 0;
	pthread_mutex_unlock(&db->lock);
	checkpoint_if_long(&db->tx, db->unflushed);
	db->unflushed = false;
	more = file_shrink(&db->tx);
	if (db->tx.worker)
		reserve_fill(db->path);
	pthread_mutex_lock(&db->lock);
	if (more)
		db->soon_ms = clock_mono_ms() + SOON_MS;
}

/* Users learn why the file is not open yet. */
int
io_on_upgrade(const struct err *what, void *database)
{
	struct database *db = database;

	pthread_mutex_lock(&db->lock);
	db->wants_thread = !db->threaded;
	if (db->threaded)
		io_enter_state(db, DOWN, what);
	pthread_mutex_unlock(&db->lock);
	io_pay_loop(db);
	return db->wants_thread ? -1 : 0;
}

/*
 * Lock held, but not while it works. The state says how it went; after a
 * failure that is not final, REOPEN_MS pass before the next try. Only a daemon
 * makes a file that is not there at once: for others the database is up without
 * it, and the first job that writes makes it. A program that only asks leaves
 * no file.
 */
static void
io_reopen(struct database *db)
{
	bool final = false;
	struct err err;
	int result;

	pthread_mutex_unlock(&db->lock);
	result = file_open(&db->tx, db->creates, &final, &err);
	if (result == 0 && db->tx.worker)
		reserve_fill(db->path);
	pthread_mutex_lock(&db->lock);
	if (db->wants_thread && !db->threaded)
		return; /* the thread opens it, at once */
	db->reopen_ms = clock_mono_ms() + REOPEN_MS;
	if (result >= 0)
		io_enter_state(db, UP, NULL);
	else
		io_enter_state(db, final ? REFUSED : DOWN, &err);
}

/* Lock held. Sleeps until there is work, or until a time (0: for ever); or not, if
 * the loop was to be told of something first. */
static void
io_sleep_until(struct database *db, int64_t until_ms)
{
	struct timespec at;

	if (db->owing) {
		pthread_mutex_unlock(&db->lock);
		io_pay_loop(db);
		pthread_mutex_lock(&db->lock);
		return;
	}
	if (until_ms == 0) {
		pthread_cond_wait(&db->work, &db->lock);
		return;
	}
	at = (struct timespec){.tv_sec = until_ms / 1000,
			       .tv_nsec = until_ms % 1000 * 1000000};
	pthread_cond_timedwait(&db->work, &db->lock, &at);
}

/* Lock held. While the file is not open. Until the first try has ended jobs wait,
 * since most of the time it succeeds at once. */
static bool
step_closed(struct database *db)
{
	const bool fails = db->state != OPENING && !TAILQ_EMPTY(&db->queue);

	if (fails)
		io_fail(db, &db->queue, &db->why);
	if (db->state != OPENING &&
	    (db->state == REFUSED || clock_mono_ms() < db->reopen_ms))
		return fails;
	if (db->lazy && TAILQ_EMPTY(&db->queue))
		io_enter_state(db, ASLEEP, NULL);
	else
		io_reopen(db);
	db->lazy = false;
	return true;
}

/* Lock held. Users are told nothing: to them it was up. */
static bool
step_asleep(struct database *db)
{
	if (TAILQ_EMPTY(&db->queue))
		return false;
	db->state = OPENING;
	return true;
}

static bool
io_held_are_due(const struct database *db, int64_t now)
{
	return !TAILQ_EMPTY(&db->held) && now >= db->held_until_ms;
}

/* Lock held. While it is: work goes before tidying up. */
static bool
step_open(struct database *db)
{
	const int64_t now = clock_mono_ms();

	if (!TAILQ_EMPTY(&db->queue) || io_held_are_due(db, now))
		io_work(db);
	else if (db->soon_ms != 0 && now >= db->soon_ms)
		io_tidy(db);
	else
		return false;
	return true;
}

bool
io_step(struct database *db)
{
	switch (db->state) {
	case UP:
		return step_open(db);
	case ASLEEP:
		return step_asleep(db);
	default:
		return step_closed(db);
	}
}

/* Lock held. Nothing is due: until when; 0: for ever. */
static int64_t
io_next_ms(const struct database *db)
{
	if (db->state != UP)
		return db->state == REFUSED || db->state == ASLEEP
			   ? 0
			   : db->reopen_ms;
	if (!TAILQ_EMPTY(&db->held) &&
	    (db->soon_ms == 0 || db->held_until_ms < db->soon_ms))
		return db->held_until_ms;
	return db->soon_ms;
}

void
io_end(struct database *db)
{
	file_close(&db->tx);
	wake_socket_done(&db->tx.socket);
}

void *
io_thread(void *arg)
{
	struct database *db = arg;

	pthread_mutex_lock(&db->lock);
	while (!db->stopping)
		if (!io_step(db))
			io_sleep_until(db, io_next_ms(db));
	pthread_mutex_unlock(&db->lock);
	io_end(db);
	return NULL;
}
