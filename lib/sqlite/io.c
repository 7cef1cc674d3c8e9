/* SPDX-License-Identifier: MIT */
/* The database's I/O thread: takes jobs, runs them together, hands them back.
 */
#include "sqlite/io.h"

#include <time.h>
#include <unistd.h>

#include "util/clock.h"

/* One transaction takes no more than this, so that its answers do not wait for
 * too much else. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (4u << 20)
/* Before the next try: with jobs that must succeed, and to open the file. */
#define HELD_MS 100
#define REOPEN_MS 1000
/* After so long without work, what is to be on disk soon is flushed, and the
 * file is tidied up. */
#define SOON_MS 1000

/* --- answers ----------------------------------------------------------- */

/* Lock held. */
void
io_tell_loop(struct store *s)
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
	io_tell_loop(s);
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
		io_tell_loop(s);
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
	io_tell_loop(s);
}

/* --- batches ----------------------------------------------------------- */

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
	if (sync != STORE_LATER) {
		s->unflushed = sync == STORE_SOON;
		if (s->soon_ms == 0)
			s->soon_ms = clock_mono_ms() + SOON_MS;
	}
	return 0;
}

/* Lock held. The batch ended: err is NULL or says why. */
static void
end_batch(struct store *s, struct store_jobs *batch, const struct err *err)
{
	struct store_job *job;

	if (err != NULL) {
		if (!s->tx.gone) /* that is a state of its own */
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
	if (s->tx.gone)
		file_close(&s->tx);
	else
		file_checkpoint(&s->tx, false);
	pthread_mutex_lock(&s->lock);
	if (s->tx.gone)
		enter_state(s, REFUSED, &err);
}

/* Lock held, but not while it works. */
static void
tidy(struct store *s)
{
	bool more;

	s->soon_ms = 0;
	pthread_mutex_unlock(&s->lock);
	file_checkpoint(&s->tx, s->unflushed);
	s->unflushed = false;
	more = file_shrink(&s->tx);
	pthread_mutex_lock(&s->lock);
	if (more)
		s->soon_ms = clock_mono_ms() + SOON_MS;
}

/* Whoever waits for the file learns why; jobs wait on, too. */
void
io_on_upgrade(const struct err *what, void *store)
{
	struct store *s = store;

	pthread_mutex_lock(&s->lock);
	enter_state(s, DOWN, what);
	pthread_mutex_unlock(&s->lock);
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

void *
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
