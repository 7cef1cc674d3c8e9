/* SPDX-License-Identifier: MIT */
/*
 * The keeper of what tasks print: a queue of lines between the loop and a thread.
 *
 * Files are opened, written and swept by the thread alone, and a file's end goes
 * through the queue like its lines: so none needs a lock.
 */
#include "dispatch/keep.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "util/clock.h"
#include "util/err.h"
#include "util/log.h"

/* Between two looks at the bounds of all files; what was kept too much until then
 * is little. */
#define SWEEP_MS 600000

struct keep_file {
	char *id;
	unsigned int attempt;
	uint64_t max;
	struct capture *capture; /* the thread's; NULL: nothing was written */
	bool broken;		 /* the same: no more is */
};

/* A line, or the end of a file if it is none. */
struct keep_item {
	STAILQ_ENTRY(keep_item) link;
	struct keep_file *file;
	bool is_end;
	enum capture_stream stream;
	size_t len;
	char bytes[];
};
STAILQ_HEAD(keep_items, keep_item);

struct keep {
	char *directory;
	struct keep_limits limits;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct keep_items items;
	size_t bytes; /* of them */
	bool closing;
	/* The loop's. */
	bool behind; /* the log knows */
	/* The thread's. */
	int64_t swept_ms; /* monotonic; 0: never */
};

/* --- the thread -------------------------------------------------------- */

/* What is left of earlier processes is looked at, too, with the first line. */
static void
keep_sweep(struct keep *k)
{
	const int64_t now_ms = clock_mono_ms();

	if (k->swept_ms != 0 && now_ms - k->swept_ms < SWEEP_MS)
		return;
	k->swept_ms = now_ms;
	capture_sweep(k->directory, k->limits.keep_s, k->limits.total);
}

/* A follower that has not come so far loses the line: the task does not wait. */
static void
keep_write(struct keep *k, const struct keep_item *item)
{
	struct keep_file *f = item->file;
	const struct capture_options o = {.directory = k->directory,
					  .id = f->id,
					  .attempt = f->attempt,
					  .max = f->max};
	struct err err = ERR_INIT;
	size_t used;

	if (f->broken)
		return;
	if (f->capture == NULL && (f->capture = capture_new(&o)) == NULL)
		return;
	keep_sweep(k);
	if (capture_add(f->capture, item->stream, item->bytes, item->len, &used,
			&err) >= 0)
		return;
	f->broken = true;
	log_warning("what task %s prints is not kept: %s", f->id, err.msg);
}

/* By the thread, as the last of a file. */
static void
keep_file_free(struct keep_file *f)
{
	capture_free(f->capture);
	free(f->id);
	free(f);
}

/* Without the lock: the loop must never wait for a disk. */
static void
keep_take(struct keep *k, struct keep_item *item)
{
	if (item->is_end)
		keep_file_free(item->file);
	else
		keep_write(k, item);
	free(item);
}

/* The lock is held, but while an item is taken. */
static void *
keep_main(void *arg)
{
	struct keep *k = arg;
	struct keep_item *item;

	pthread_mutex_lock(&k->lock);
	for (;;) {
		while (STAILQ_EMPTY(&k->items) && !k->closing)
			pthread_cond_wait(&k->changed, &k->lock);
		if ((item = STAILQ_FIRST(&k->items)) == NULL)
			break;
		STAILQ_REMOVE_HEAD(&k->items, link);
		k->bytes -= item->len;
		pthread_mutex_unlock(&k->lock);
		keep_take(k, item);
		pthread_mutex_lock(&k->lock);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

/* --- the loop ---------------------------------------------------------- */

/* An end is always put: it is what frees. */
static bool
keep_put(struct keep *k, struct keep_item *item)
{
	bool room;

	pthread_mutex_lock(&k->lock);
	room = item->is_end || k->bytes + item->len <= KEEP_BYTES;
	if (room) {
		STAILQ_INSERT_TAIL(&k->items, item, link);
		k->bytes += item->len;
		pthread_cond_signal(&k->changed);
	}
	pthread_mutex_unlock(&k->lock);
	return room;
}

/* No file is made before there is something to put into it. */
struct keep_file *
keep_begin(struct keep *k, const char *id, unsigned int attempt, uint64_t max)
{
	struct keep_file *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->id = strdup(id)) == NULL) {
		free(f);
		return NULL;
	}
	f->attempt = attempt;
	f->max = max;
	return f;
}

/* With its end, which lines of the log and of pipes come without. */
void
keep_line(struct keep *k, struct keep_file *file, enum capture_stream stream,
	  struct slice text)
{
	struct keep_item *item;

	if (file == NULL ||
	    (item = malloc(sizeof(*item) + text.len + 1)) == NULL)
		return;
	*item = (struct keep_item){
	    .file = file, .stream = stream, .len = text.len + 1};
	if (text.len > 0)
		memcpy(item->bytes, text.p, text.len);
	item->bytes[text.len] = '\n';
	if (keep_put(k, item)) {
		k->behind = false;
		return;
	}
	free(item);
	if (!k->behind)
		log_warning("tasks print faster than it can be kept ([worker] "
			    "keep_output); some lines are not");
	k->behind = true;
}

/* Without memory for its end a file stays open until the process ends: that is
 * less than to wait. */
void
keep_end(struct keep *k, struct keep_file *file)
{
	struct keep_item *item;

	if (file == NULL || (item = malloc(sizeof(*item))) == NULL)
		return;
	*item = (struct keep_item){.file = file, .is_end = true};
	keep_put(k, item);
}

/* --- life -------------------------------------------------------------- */

/* The thread sleeps as long as nobody prints. */
struct keep *
keep_new(const char *directory, const struct keep_limits *limits,
	 struct err *err)
{
	struct keep *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL || (k->directory = strdup(directory)) == NULL) {
		free(k);
		err_nomem(err);
		return NULL;
	}
	k->limits = *limits;
	STAILQ_INIT(&k->items);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	if ((r = pthread_create(&k->thread, NULL, keep_main, k)) != 0) {
		errno = r;
		err_sys(err, ERR_SYSTEM, "cannot start a thread for output");
		keep_free(k);
		return NULL;
	}
	k->started = true;
	return k;
}

/* At most KEEP_BYTES are left to write. */
void
keep_free(struct keep *k)
{
	if (k == NULL)
		return;
	if (k->started) {
		pthread_mutex_lock(&k->lock);
		k->closing = true;
		pthread_cond_signal(&k->changed);
		pthread_mutex_unlock(&k->lock);
		pthread_join(k->thread, NULL);
	}
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k->directory);
	free(k);
}
