/* SPDX-License-Identifier: MIT */
/* Log entries on their way to a thread that may block. */
#include "util/log_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/log.h"

/*
 * A second of the fastest that a task's output was seen to be logged, and as
 * much memory as a worker has when it is idle: more would only delay the moment
 * at which a reader that does not read is noticed.
 */
#define QUEUE_BYTES_MAX (4 << 20)

struct queued {
	struct queued *next;
	struct log_entry entry; /* its strings lie behind this */
	size_t size;
	char text[];
};

/* All under the lock, but for `write`, which is set before the thread starts. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t more; /* there is an entry, or the end */
	pthread_cond_t over; /* the thread has ended; by the monotonic clock */
	log_queue_write_fn *write;
	struct queued *first, **last;
	size_t bytes; /* those being written included */
	unsigned long lost;
	bool running, ending, ended;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
	   .more = PTHREAD_COND_INITIALIZER,
	   .last = &queue.first};

/* --- copies -------------------------------------------------------------- */

static size_t
text_size(const char *text)
{
	return text != NULL ? strlen(text) + 1 : 0;
}

/* Copies a string to *end and moves that behind it. */
static const char *
copy_text(char **end, const char *text)
{
	const size_t size = text_size(text);
	const char *copy = *end;

	if (text == NULL)
		return NULL;
	memcpy(*end, text, size);
	*end += size;
	return copy;
}

static struct queued *
queued_new(const struct log_entry *entry)
{
	size_t size = sizeof(struct queued) + text_size(entry->program) +
		      text_size(entry->message);
	struct queued *q;
	char *end;
	int i;

	for (i = 0; i < LOG_N_FIELDS; i++)
		size += text_size(entry->fields[i]);
	if ((q = malloc(size)) == NULL)
		return NULL;
	*q = (struct queued){.entry = *entry, .size = size};
	end = q->text;
	q->entry.program = copy_text(&end, entry->program);
	q->entry.message = copy_text(&end, entry->message);
	for (i = 0; i < LOG_N_FIELDS; i++)
		q->entry.fields[i] = copy_text(&end, entry->fields[i]);
	return q;
}

/* --- the thread ---------------------------------------------------------- */

/* Takes all entries, and the number of those that had no room after them.
 * False: the end, and nothing is left. */
static bool
take_all(struct queued **ret_first, unsigned long *ret_lost)
{
	bool more;

	pthread_mutex_lock(&queue.lock);
	while (queue.first == NULL && queue.lost == 0 && !queue.ending)
		pthread_cond_wait(&queue.more, &queue.lock);
	*ret_first = queue.first;
	*ret_lost = queue.lost;
	more = queue.first != NULL || queue.lost > 0;
	queue.first = NULL;
	queue.last = &queue.first;
	queue.lost = 0;
	pthread_mutex_unlock(&queue.lock);
	return more;
}

/* Its bytes are free only now: a reader that has stopped holds up an entry that
 * was taken as well as those that wait. */
static void
write_one(struct queued *q)
{
	queue.write(&q->entry, 0);
	pthread_mutex_lock(&queue.lock);
	queue.bytes -= q->size;
	pthread_mutex_unlock(&queue.lock);
	free(q);
}

static void *
write_entries(void *arg)
{
	struct queued *first, *next;
	unsigned long lost;

	while (take_all(&first, &lost)) {
		for (; first != NULL; first = next) {
			next = first->next;
			write_one(first);
		}
		if (lost > 0)
			queue.write(NULL, lost);
	}
	pthread_mutex_lock(&queue.lock);
	queue.ended = true;
	pthread_cond_signal(&queue.over);
	pthread_mutex_unlock(&queue.lock);
	return arg;
}

/* --- for everybody ------------------------------------------------------- */

bool
log_queue_put(const struct log_entry *entry)
{
	struct queued *q;

	pthread_mutex_lock(&queue.lock);
	if (!queue.running) {
		pthread_mutex_unlock(&queue.lock);
		return false;
	}
	q = queue.bytes < QUEUE_BYTES_MAX ? queued_new(entry) : NULL;
	if (q != NULL) {
		*queue.last = q;
		queue.last = &q->next;
		queue.bytes += q->size;
	} else {
		queue.lost++;
	}
	pthread_cond_signal(&queue.more);
	pthread_mutex_unlock(&queue.lock);
	return true;
}

int
log_queue_start(log_queue_write_fn *write)
{
	pthread_condattr_t monotonic;
	sigset_t all, old;
	pthread_t thread;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&queue.over, &monotonic);
	pthread_condattr_destroy(&monotonic);
	queue.write = write;
	queue.ending = queue.ended = false;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread, NULL, write_entries, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno != 0)
		return -1;
	/* Not joined: one that sleeps in write() ends with the process. */
	pthread_detach(thread);
	pthread_mutex_lock(&queue.lock);
	queue.running = true;
	pthread_mutex_unlock(&queue.lock);
	return 0;
}

void
log_queue_stop(int64_t wait_us)
{
	struct timespec end;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += wait_us / 1000000;
	end.tv_nsec += wait_us % 1000000 * 1000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&queue.lock);
	if (queue.running) {
		queue.running = false;
		queue.ending = true;
		pthread_cond_signal(&queue.more);
		while (!queue.ended && r == 0)
			r = pthread_cond_timedwait(&queue.over, &queue.lock,
						   &end);
	}
	pthread_mutex_unlock(&queue.lock);
}
