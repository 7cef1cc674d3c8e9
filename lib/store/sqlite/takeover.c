/* SPDX-License-Identifier: MIT */
/*
 * The SQLite broker: what dead workers left behind.
 *
 * All workers of one file run on one machine, so a worker holds a lock that the
 * kernel drops with its process, on "<database>-wake/worker-<id>.lock". A lock
 * that is held means alive, however long the worker is silent; one that is not
 * held means dead for sure, at once. Where the file itself is gone (somebody
 * tidied up), only a heartbeat that has run out tells.
 *
 * A dead worker's tasks are taken over when it was seen dead for GRACE_MS: its
 * executors may take a second to notice. They go back to their queues, marked
 * as recovered.
 *
 * Looking at a lock and moving the tasks happen in one transaction, and a
 * worker takes its lock in the one in which it looks for its tasks; so a worker
 * that starts again meanwhile finds them, or finds them gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/wake_socket.h"
#include "store/sqlite/broker.h"
#include "util/clock.h"

/* Twice what executors may take to notice that their worker is gone. */
#define GRACE_MS 2000
/* At once, as much as a transaction should have; the rest at the next
 * heartbeat. */
#define TAKE_MAX 1000
/* How long a worker that left nothing is remembered: a restart within it keeps
 * its number. */
#define FORGET_MS (INT64_C(3600) * 1000)

/* "worker-", 20 digits with a sign at most, ".lock". */
#define LOCK_NAME 40
static void
lock_name(int64_t id, char name[LOCK_NAME])
{
	snprintf(name, LOCK_NAME, "worker-%lld.lock", (long long)id);
}

/* A lock of the open file description: fcntl()'s old ones would be dropped when
 * any descriptor of the file is closed, by look_at() say. */
int
stakeover_lock(struct tx *tx, int64_t id, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const int dir = tx_directory(tx, err);
	char name[LOCK_NAME];
	int fd;

	lock_name(id, name);
	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, ERR_UNAVAILABLE,
			       "cannot open the lock %s beside the database",
			       name);
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	close(fd);
	return -2;
}

/* UNCERTAIN: there is no lock file, or it cannot be opened. */
enum life { ALIVE, DEAD, UNCERTAIN };

static enum life
look_at(struct tx *tx, int64_t id, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const int dir = tx_directory(tx, err);
	char name[LOCK_NAME];
	enum life life = UNCERTAIN;
	int fd;

	lock_name(id, name);
	if (dir < 0)
		return UNCERTAIN;
	if ((fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return UNCERTAIN;
	/* Only asks: to try it would keep its owner from taking it. */
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0)
		life = lock.l_type == F_UNLCK ? DEAD : ALIVE;
	close(fd);
	return life;
}

bool
stakeover_is_dead(struct tx *tx, int64_t id)
{
	return look_at(tx, id, NULL) == DEAD;
}

bool
stakeover_is_there(struct tx *tx, int64_t id)
{
	return look_at(tx, id, NULL) == ALIVE;
}

/* Whether it was seen dead before, long enough ago. The first time it is put on
 * the list; if memory runs out, the next heartbeat does that. */
static bool
dead_for_long(struct beating *beating, int64_t id)
{
	const int64_t now = clock_mono_ms();
	struct suspect *grown;
	size_t i;

	for (i = 0; i < beating->n_suspects; i++)
		if (beating->suspects[i].worker_id == id)
			return now - beating->suspects[i].since_ms >= GRACE_MS;
	grown = reallocarray(beating->suspects, beating->n_suspects + 1,
			     sizeof(*grown));
	if (grown != NULL) {
		beating->suspects = grown;
		grown[beating->n_suspects++] = (struct suspect){id, now};
	}
	return false;
}

/* It lives (again): the grace begins from the start if it dies. */
static void
takeover_acquit(struct beating *beating, int64_t id)
{
	size_t i;

	for (i = 0; i < beating->n_suspects; i++)
		if (beating->suspects[i].worker_id == id)
			beating->suspects[i] =
			    beating->suspects[--beating->n_suspects];
}

/* Puts a dead worker's tasks back where they were, and wakes who waits
 * there. */
static int
takeover_take_tasks(struct tx *tx, int64_t id, struct err *err)
{
	struct sclaim c = {.number = -1};
	int i, more = 0;

	for (i = 0; i < TAKE_MAX; i++) {
		more = tx_first(tx, err, SQL_INFLIGHT_OF, id, c.number,
				INT64_C(1));
		if (more != 1)
			break;
		c.priority = tx_int(tx, SQL_INFLIGHT_OF, 0);
		c.seq = tx_int(tx, SQL_INFLIGHT_OF, 1);
		c.number = tx_int(tx, SQL_INFLIGHT_OF, 2);
		c.queue = tx_int(tx, SQL_INFLIGHT_OF, 3);
		tx_end(tx, SQL_INFLIGHT_OF);
		if (sclaim_put_back_run(tx, err, id, &c, c.priority, true) < 0)
			return -1;
	}
	return more < 0 ? -1 : 0;
}

/* One that is dead, and has left nothing for a long time. */
static int
takeover_forget(struct tx *tx, int64_t id, struct err *err)
{
	char name[LOCK_NAME];

	/* What it could run goes with it: no number is given twice. */
	if (tx_run(tx, err, SQL_SERVED_LEAVE, id) < 0 ||
	    tx_run(tx, err, SQL_WORKER_DROP, id) < 0)
		return -1;
	lock_name(id, name);
	unlinkat(tx_directory(tx, err), name, 0);
	return 0;
}

/* One other worker, whose row WORKERS_OTHER shows: it is ended here, so that
 * rows may be changed. */
static int
takeover_judge(struct sbroker *b, struct tx *tx, int64_t id, bool has_tasks,
	       struct err *err)
{
	const int64_t expires = tx_int(tx, SQL_WORKERS_OTHER, 1);
	enum life life = look_at(tx, id, err);

	tx_end(tx, SQL_WORKERS_OTHER);
	if (life == UNCERTAIN && expires < tx_now(tx))
		life = DEAD;
	if (life != DEAD) {
		takeover_acquit(&b->beating, id);
		return 0;
	}
	/* It can run nothing any more, which changes no row but the first
	 * time. */
	if (tx_run(tx, err, SQL_SERVED_LEAVE, id) < 0)
		return -1;
	if (!has_tasks)
		return expires < tx_now(tx) - FORGET_MS
			   ? takeover_forget(tx, id, err)
			   : 0;
	return dead_for_long(&b->beating, id) ? takeover_take_tasks(tx, id, err)
					      : 0;
}

int
stakeover_run(struct sbroker *b, struct tx *tx, struct err *err)
{
	int64_t id = 0;
	int more;

	while ((more = tx_first(tx, err, SQL_WORKERS_OTHER, b->worker_id,
				id)) == 1) {
		id = tx_int(tx, SQL_WORKERS_OTHER, 0);
		if (takeover_judge(b, tx, id,
				   tx_int(tx, SQL_WORKERS_OTHER, 2) != 0,
				   err) != 0)
			return -1;
	}
	return more;
}

/* Nobody waits at a wake socket that is not there any more, nor at what is not
 * the name of one: it would be a path of somebody else's choice. */
static int
takeover_drop_socket(struct tx *tx, const char *name, size_t len,
		     struct err *err)
{
	const struct slice sock = {name, len};

	if (wake_socket_is_name(sock) &&
	    faccessat(tx_directory(tx, err), name, F_OK, AT_SYMLINK_NOFOLLOW) ==
		0)
		return 0;
	if (tx_run(tx, err, SQL_RECORD_WAITERS_LEAVE, sock) < 0 ||
	    tx_run(tx, err, SQL_QUEUE_WAITERS_LEAVE, sock) < 0 ||
	    tx_run(tx, err, SQL_LISTENERS_LEAVE, sock) < 0)
		return -1;
	return 0;
}

int
stakeover_sweep_run(struct tx *tx, struct err *err)
{
	struct buf name = BUF_INIT;
	struct slice sock;
	int more;

	/* First the sockets themselves go, then all rows that name none. What
	 * stands there is kept whole, however long: the next name is the one
	 * behind it. */
	tx_sweep_sockets(tx);
	buf_addc(&name, '\0');
	while (!name.failed &&
	       (more = tx_first(tx, err, SQL_SOCKETS_WAITING,
				(struct slice){name.data, name.len - 1})) ==
		   1) {
		sock = tx_bytes(tx, SQL_SOCKETS_WAITING, 0);
		buf_reset(&name);
		buf_add(&name, sock.p, sock.len);
		buf_addc(&name, '\0');
		tx_end(tx, SQL_SOCKETS_WAITING);
		if (!name.failed &&
		    takeover_drop_socket(tx, name.data, name.len - 1, err) != 0)
			break;
	}
	if (name.failed)
		more = err_nomem(err);
	else if (more == 1)
		more = -1;
	buf_done(&name);
	return more;
}
