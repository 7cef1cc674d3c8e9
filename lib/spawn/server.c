/* SPDX-License-Identifier: MIT */
/*
 * The spawner: one thread that waits for orders and for the ends of programs.
 *
 * It keeps no state beyond which program has which number, allocates next to
 * nothing and reads no configuration, so that it outlives what it guards
 * against. It ends in one way: the other side is gone, all children are killed.
 */
#include "spawn/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn/children.h"
#include "spawn/spawn.h"
#include "spawn/start.h"
#include "util/limits.h"

/* At the end: how long to wait for what was killed to be gone. A process in an
 * uninterruptible sleep may never be; the client waits for us. */
#define END_MS 5000
/* Short, as SIGKILL works within ms; each step looks for adopted children. */
#define END_STEP_MS 20

/* Before the next try of a call that memory was too short for. */
#define SHORT_MS 10

struct program {
	uint32_t number;
	pid_t pid; /* of the leader, and of its group */
	int held;  /* open until it is gone; -1: nothing */
};

struct server {
	int fd;
	int master;   /* a pidfd of the process served */
	int children; /* a signalfd for SIGCHLD */
	struct program *programs;
	size_t n, cap;
	/* Programs that have ended, of whose groups something is left, and for
	 * which something is kept open. */
	struct program *dying;
	size_t n_dying;
	bool over;
};

/* Waits if the socket is full: the client reads whenever it can, and until it
 * has heard of the ends it would only order more. */
static void
reply(struct server *s, const struct spawn_reply *r)
{
	ssize_t n;

	/* That memory is short for a moment must not end what runs. */
	while ((n = send(s->fd, r, sizeof(*r), MSG_NOSIGNAL)) == -1 &&
	       (errno == EINTR || limits_is_short(errno)))
		poll(NULL, 0, errno == EINTR ? 0 : SHORT_MS);
	if (n == -1)
		s->over = true;
}

/* --- starting ------------------------------------------------------------ */

static int
server_make_room(struct server *s)
{
	size_t cap = s->cap ? s->cap * 2 : 64;
	struct program *more;

	if (s->n + s->n_dying < s->cap)
		return 0;
	if ((more = reallocarray(s->programs, cap, sizeof(*more))) == NULL)
		return -1;
	s->programs = more;
	if ((more = reallocarray(s->dying, cap, sizeof(*more))) == NULL)
		return -1;
	s->dying = more;
	s->cap = cap;
	return 0;
}

static void
start_parsed(struct server *s, uint32_t number, char *bytes, size_t len,
	     const int fds[SPAWN_FDS_MAX - 1])
{
	struct spawn_reply r = {.news = SPAWN_FAILED, .number = number};
	enum spawn_step step = SPAWN_STEP_READ;
	struct spawn_parsed parsed;
	pid_t pid;

	/* Room before the start: a program that cannot be written down could
	 * never be signalled or reaped by its number. */
	errno = EINVAL; /* what makes no sense; without memory, ENOMEM */
	if (server_make_room(s) != 0 ||
	    spawn_orders_read(bytes, len, &parsed) != 0) {
		r.status = errno;
		reply(s, &r);
		return;
	}
	pid = start_program(&parsed.orders, fds, &step);
	r.status = errno;
	r.step = step;
	spawn_parsed_done(&parsed);
	if (pid != -1) {
		s->programs[s->n++] = (struct program){
		    number, pid,
		    fds[3] >= 0 ? fcntl(fds[3], F_DUPFD_CLOEXEC, 0) : -1};
		r = (struct spawn_reply){
		    .news = SPAWN_STARTED, .number = number, .status = pid};
	}
	reply(s, &r);
}

static void
server_start(struct server *s, uint32_t number, const int fds[SPAWN_FDS_MAX])
{
	struct spawn_reply failure = {.news = SPAWN_FAILED, .number = number};
	struct stat st;
	char *bytes;

	/* A private mapping: strings become pointers into it. */
	if (fstat(fds[0], &st) != 0 ||
	    (bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
			  fds[0], 0)) == MAP_FAILED) {
		failure.status = errno;
		reply(s, &failure);
		return;
	}
	start_parsed(s, number, bytes, (size_t)st.st_size, fds + 1);
	munmap(bytes, (size_t)st.st_size);
}

static void
send_signal(const struct server *s, uint32_t number, int sig)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->programs[i].number == number)
			/* Not reaped: the number is nobody else's. */
			kill(-s->programs[i].pid, sig);
}

/* --- orders -------------------------------------------------------------- */

/* The descriptors that came with a message; returns how many. */
static size_t
take_fds(struct msghdr *m, int fds[SPAWN_FDS_MAX])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	n = n < SPAWN_FDS_MAX ? n : SPAWN_FDS_MAX;
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return n;
}

static void
obey(struct server *s, const struct spawn_request *r, const int *fds, size_t n)
{
	struct spawn_reply failure = {.news = SPAWN_FAILED,
				      .number = r->number,
				      .step = SPAWN_STEP_READ,
				      .status = EMFILE};

	if (r->order == SPAWN_SIGNAL)
		send_signal(s, r->number, r->signal);
	else if (r->order == SPAWN_START && n >= SPAWN_N_FDS)
		server_start(s, r->number, fds);
	else if (r->order == SPAWN_START)
		/* Those that were cut off had no room here. */
		reply(s, &failure);
}

static void
on_order(struct server *s)
{
	union {
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct spawn_request r;
	struct iovec iov = {&r, sizeof(r)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	int fds[SPAWN_FDS_MAX] = {-1, -1, -1, -1, -1};
	ssize_t len;
	size_t n, i;

	len = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (len == -1 && (errno == EINTR || limits_is_short(errno)))
		return;
	if (len != (ssize_t)sizeof(r)) {
		s->over = true;
		return;
	}
	/* Ours are closed here in any case; the program has its copies. */
	n = take_fds(&m, fds);
	obey(s, &r, fds, n);
	for (i = 0; i < n; i++)
		close(fds[i]);
}

/* --- ends ---------------------------------------------------------------- */

/* Processes that were killed are gone when they are reaped, here, since they are
 * adopted; then the group has no member. */
static bool
group_is_gone(pid_t pid)
{
	return kill(-pid, 0) != 0 && errno == ESRCH;
}

/* What is kept open for a program that has ended is closed when its group is gone.
 * There is room in `dying` for each that runs: see server_make_room(). */
static void
let_go(struct server *s, const struct program *p)
{
	if (p->held < 0)
		return;
	if (group_is_gone(p->pid))
		close(p->held);
	else
		s->dying[s->n_dying++] = *p;
}

static void
let_go_dying(struct server *s)
{
	size_t i;

	for (i = s->n_dying; i > 0; i--) {
		if (!group_is_gone(s->dying[i - 1].pid))
			continue;
		close(s->dying[i - 1].held);
		s->dying[i - 1] = s->dying[--s->n_dying];
	}
}

/* A child has ended: a program, or an orphan of one. */
static void
reap(struct server *s, pid_t pid)
{
	struct spawn_reply r = {.news = SPAWN_ENDED};
	size_t i;
	int status;

	for (i = 0; i < s->n && s->programs[i].pid != pid; i++)
		;
	if (i == s->n) {
		waitpid(pid, NULL, 0);
		return;
	}
	/* What is left of its group must not outlive it; until the leader is
	 * reaped, the group's number is nobody else's. */
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	r.number = s->programs[i].number;
	r.status = status;
	let_go(s, &s->programs[i]);
	/* The order in the table means nothing. */
	s->programs[i] = s->programs[--s->n];
	reply(s, &r);
}

static void
on_child(struct server *s)
{
	struct signalfd_siginfo drop;
	siginfo_t info;

	/* One SIGCHLD may stand for many children: what was read says only
	 * that there is one. Looked at without reaping; see reap(). */
	if (read(s->children, &drop, sizeof(drop)) < 0)
		return;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0)
			break;
		reap(s, info.si_pid);
	}
	let_go_dying(s);
}

/* Killing goes on until nobody is left: those whose parents die are adopted
 * here, and killed in the next turn. */
static void
end_all(struct server *s)
{
	struct pollfd p = {.fd = s->children, .events = POLLIN};
	struct signalfd_siginfo drop;
	int turns;
	size_t i;

	for (i = 0; i < s->n; i++)
		kill(-s->programs[i].pid, SIGKILL);
	for (turns = 0; turns < END_MS / END_STEP_MS; turns++) {
		if (!children_kill())
			return;
		poll(&p, 1, END_STEP_MS);
		if (p.revents != 0 && read(p.fd, &drop, sizeof(drop)) < 0)
			return;
	}
}

/* --- its life ------------------------------------------------------------ */

static int
open_server(struct server *s)
{
	sigset_t mask;

	/* It ends when the other side does, and not by a signal that is meant
	 * for a whole service. What these signals do is left at the default,
	 * which programs inherit. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	s->children = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Beside the socket's end of file: a child of the other side's might
	 * hold that open. */
	s->master = (int)syscall(SYS_pidfd_open, getppid(), 0);
	if (s->children == -1 || s->master == -1 || children_adopt() != 0 ||
	    fcntl(s->fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return 0;
}

int
server_run(int fd)
{
	struct server s = {.fd = fd};
	struct pollfd p[3];

	if (open_server(&s) != 0)
		return -1;
	p[0] = (struct pollfd){.fd = s.fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = s.children, .events = POLLIN};
	p[2] = (struct pollfd){.fd = s.master, .events = POLLIN};
	while (!s.over) {
		if (poll(p, 3, -1) == -1) {
			if (errno != EINTR && !limits_is_short(errno))
				break;
			usleep(SHORT_MS * 1000);
			continue;
		}
		if (p[2].revents != 0)
			break;
		/* Ends first: they make room before something is started. */
		if (p[1].revents != 0)
			on_child(&s);
		if (p[0].revents != 0)
			on_order(&s);
	}
	end_all(&s);
	free(s.programs);
	free(s.dying);
	return 0;
}
