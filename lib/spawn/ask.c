/* SPDX-License-Identifier: MIT */
/*
 * One program's orders: its descriptors are made and sent with them, unless
 * they leave too few to the rest of the process.
 */
#include "spawn/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "spawn/send.h"
#include "util/limits.h"

/* Descriptors that programs leave to the rest of the process, whose files and
 * sockets must not fail for the sake of one program more: a sixteenth of all,
 * within these bounds. */
#define RESERVE_MIN 8
#define RESERVE_MAX 64

/*
 * Whether too few descriptors are left behind these: new ones have the lowest
 * free numbers, so theirs say how many are taken. If nothing else runs there is
 * nothing to wait for.
 */
static bool
ask_leaves_too_few(const struct spawn *p, const int theirs[SPAWN_N_FDS])
{
	const struct spawn_list *started = &p->spawner->started;
	const uint64_t all = limits_files();
	uint64_t reserve = all / 16;
	int i, highest = p->fds[1];

	if (TAILQ_FIRST(started) == p && TAILQ_NEXT(p, link) == NULL)
		return false;
	reserve = reserve < RESERVE_MIN ? RESERVE_MIN : reserve;
	reserve = reserve > RESERVE_MAX ? RESERVE_MAX : reserve;
	for (i = 0; i < SPAWN_N_FDS; i++)
		highest = theirs[i] > highest ? theirs[i] : highest;
	return (uint64_t)highest + reserve >= all;
}

static int
ask_input(const struct spawn *p)
{
	return p->input_fd >= 0 ? fcntl(p->input_fd, F_DUPFD_CLOEXEC, 0)
				: send_memory_file(&p->input);
}

/* Fills `theirs` with the descriptors for an order; -1 with errno. */
static int
ask_make_fds(struct spawn *p, int theirs[SPAWN_N_FDS])
{
	int out[2], error[2];

	if ((theirs[0] = send_memory_file(&p->orders)) == -1 ||
	    (theirs[1] = ask_input(p)) == -1 || pipe2(out, O_CLOEXEC) != 0)
		return -1;
	p->fds[0] = out[0];
	theirs[2] = out[1];
	if (pipe2(error, O_CLOEXEC) != 0)
		return -1;
	p->fds[1] = error[0];
	theirs[3] = error[1];
	if (ask_leaves_too_few(p, theirs)) {
		errno = EMFILE;
		return -1;
	}
	if (fcntl(p->fds[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(p->fds[1], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	return output_watch(p);
}

int
ask_for(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn_request r = {.order = SPAWN_START, .number = p->number};
	int fds[SPAWN_FDS_MAX] = {-1, -1, -1, -1, p->held_fd}, i, result, sys;

	result = ask_make_fds(p, fds);
	if (result == 0)
		result =
		    send_request(s->fd, &r, fds,
				 p->held_fd >= 0 ? SPAWN_FDS_MAX : SPAWN_N_FDS);
	sys = errno;
	for (i = 0; i < SPAWN_N_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
	errno = sys;
	return result;
}
