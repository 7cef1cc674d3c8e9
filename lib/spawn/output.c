/* SPDX-License-Identifier: MIT */
/*
 * What a program writes: read as it comes, and to its end when it has ended.
 */
#include "spawn/spawner.h"

#include <errno.h>
#include <unistd.h>

/* Twice what a pipe holds at most, if no administrator allowed more
 * (pipe(7)). */
#define DRAIN_MAX (2u << 20)

void
output_close(struct spawn *p, int i)
{
	if (p->readable[i] != NULL)
		event_free(p->readable[i]);
	p->readable[i] = NULL;
	if (p->fds[i] != -1)
		close(p->fds[i]);
	p->fds[i] = -1;
}

/* Returns how much was read; 0: nothing now, or no more at all. */
static size_t
output_read(struct spawn *p, int i)
{
	char *buffer = p->spawner->buffer;
	ssize_t n;

	/* The buffer is the spawner's: output is handed on at once, so that
	 * thousands of programs need one of them. */
	if (p->fds[i] == -1)
		return 0;
	n = read(p->fds[i], buffer, SPAWNER_READ_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		output_close(p, i);
		return 0;
	}
	p->on_output(p->arg, i + 1, buffer, (size_t)n);
	return (size_t)n;
}

static void
on_stdout(evutil_socket_t fd, short what, void *arg)
{
	output_read(arg, 0);
}

static void
on_stderr(evutil_socket_t fd, short what, void *arg)
{
	output_read(arg, 1);
}

int
output_watch(struct spawn *p)
{
	struct event_base *base = p->spawner->base;

	p->readable[0] =
	    event_new(base, p->fds[0], EV_READ | EV_PERSIST, on_stdout, p);
	p->readable[1] =
	    event_new(base, p->fds[1], EV_READ | EV_PERSIST, on_stderr, p);
	if (p->readable[0] == NULL || p->readable[1] == NULL ||
	    event_add(p->readable[0], NULL) != 0 ||
	    event_add(p->readable[1], NULL) != 0) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

void
output_drain_program(struct spawn *p)
{
	size_t n, sum;
	int i;

	for (i = 0; i < 2; i++) {
		for (sum = 0; sum < DRAIN_MAX; sum += n)
			if ((n = output_read(p, i)) == 0)
				break;
		output_close(p, i);
	}
}

void
spawn_pause(struct spawn *p, bool paused)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (p->readable[i] == NULL)
			continue;
		if (paused)
			event_del(p->readable[i]);
		else
			event_add(p->readable[i], NULL);
	}
}
