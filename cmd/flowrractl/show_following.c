/* SPDX-License-Identifier: MIT */
/*
 * Showing what a command prints while it does.
 *
 * A thread waits for the end of the task; this one shows what is there, and then
 * waits until a file changes or the task has ended. What a command has printed is
 * in its files before its record is final: once the end is known, one more look
 * finds all.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/capture_read.h"
#include "flowrra/client.h"
#include "result.h"
#include "show_output.h"
#include "util/err.h"
#include "verb.h"

/* Where nothing tells of a change (a file system of the network), and between two
 * calls of `tick`. */
#define TICK_MS 1000

struct following {
	struct show_output *show;
	struct capture_reader *reader;
	unsigned int attempt; /* its */
	int changes;	      /* inotify; -1: none */
	int ended;	      /* eventfd */
	/* The thread's, until it has written to `ended`. */
	pthread_t thread;
	struct flowrra_record *record;
	struct flowrra_error error;
	int result;
};

static void *
await_end(void *arg)
{
	struct following *f = arg;
	const uint64_t one = 1;

	f->result = wait_for_record(f->show->ctl, f->show->id, -1, &f->record,
				    &f->error);
	if (write(f->ended, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort(); /* an eventfd takes it */
	return NULL;
}

/* Changes of any file there: what changes is looked at anyway. */
static void
watch_directory(struct following *f)
{
	const char *directory = f->show->directory;

	f->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->changes < 0)
		return;
	if (mkdir(directory, 0700) == 0 || errno == EEXIST)
		inotify_add_watch(f->changes, directory, IN_MODIFY | IN_CREATE);
}

/* --- what is there ------------------------------------------------------------ */

/* Goes on to the next attempt that has printed something: 1; 0: there is none yet.
 */
static int
next_attempt(struct following *f, struct err *err)
{
	unsigned int *list, found = 0;
	size_t n, i;

	list = capture_attempts(f->show->directory, f->show->id, &n, err);
	for (i = 0; i < n && found == 0; i++)
		if (list[i] > f->attempt)
			found = list[i];
	free(list);
	if (found == 0)
		return err->code == ERR_NONE ? 0 : -1;
	f->show->found = true;
	capture_reader_free(f->reader);
	f->attempt = found;
	f->reader = capture_reader_new(f->show->directory, f->show->id, found);
	if (f->reader == NULL)
		return err_nomem(err);
	if (f->show->follow_fd > 0)
		capture_reader_follow(f->reader, f->show->follow_fd);
	return 1;
}

/* All that can be read, of all attempts. */
static int
show_all(struct following *f, struct err *err)
{
	int got;

	do {
		got = f->reader != NULL
			  ? show_reader(f->show, f->reader, f->attempt, err)
			  : 0;
		if (got == 0)
			got = next_attempt(f, err);
	} while (got > 0);
	fflush(stdout);
	return got;
}

/* --- until the end ------------------------------------------------------------- */

static void
drain_changes(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static int
follow(struct following *f, void (*tick)(struct ctl *ctl), struct err *err)
{
	struct pollfd fds[2] = {{.fd = f->ended, .events = POLLIN},
				{.fd = f->changes, .events = POLLIN}};
	bool ended = false;
	int n;

	while (!ended) {
		/* Before the files are looked at: what is printed after this is
		 * seen in the next turn. */
		n = poll(fds, 2, 0);
		ended = n > 0 && fds[0].revents != 0;
		if (n > 0 && fds[1].revents != 0)
			drain_changes(f->changes);
		if (show_all(f, err) != 0)
			return -1;
		if (ended)
			break;
		n = poll(fds, 2, TICK_MS);
		if (n == 0 && tick != NULL)
			tick(f->show->ctl);
	}
	return 0;
}

/* The thread cannot be told to end: after a fault the program does. */
static int
begin(struct following *f, struct err *err)
{
	f->ended = eventfd(0, EFD_CLOEXEC);
	if (f->ended < 0 ||
	    (errno = pthread_create(&f->thread, NULL, await_end, f)) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot follow the task");
	watch_directory(f);
	return 0;
}

int
show_following(struct show_output *s, unsigned int attempt,
	       void (*tick)(struct ctl *ctl),
	       struct flowrra_record **ret_record)
{
	struct following *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;
	int status = 0;

	if (f == NULL) {
		err_nomem(&err);
		return complain_of_err(s->ctl, &err);
	}
	*f = (struct following){.show = s,
				.attempt = attempt > 0 ? attempt - 1 : 0,
				.changes = -1,
				.ended = -1};
	if (begin(f, &err) != 0 || follow(f, tick, &err) != 0) {
		status = complain_of_err(s->ctl, &err);
		fflush(stdout);
		_exit(status);
	}
	pthread_join(f->thread, NULL);
	if (f->result != 0)
		status = complain_of(s->ctl, &f->error);
	*ret_record = f->record;
	capture_reader_free(f->reader);
	close(f->ended);
	if (f->changes >= 0)
		close(f->changes);
	free(f);
	return status;
}
