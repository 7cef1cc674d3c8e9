/* SPDX-License-Identifier: MIT */
/*
 * The spawner's process: its start, its socket, and what becomes of programs
 * when it dies.
 */
#include "spawn/spawner.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn/children.h"
#include "util/limits.h"
#include "util/proc.h"
#include "util/timer.h"

/* SIGKILL works within ms. A process in an uninterruptible sleep may never end:
 * as long as the spawner itself would, we wait for it. */
#define BURIAL_MS 5000
#define BURIAL_STEP_MS 5

void
spawner_close(struct spawner *s)
{
	if (s->readable != NULL)
		event_free(s->readable);
	if (s->writable != NULL)
		event_free(s->writable);
	s->readable = s->writable = NULL;
	close(s->fd);
	s->fd = -1;
	waitpid(s->pid, NULL, 0);
}

/* What the spawner ran is gone: that is told. Those that were asked for count as
 * run, as it is not known how far they came; whose doing the spawner's death was
 * is not known either. */
static void
spawner_tell_lost(struct spawner *s)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(&s->started)) != NULL) {
		p->end = (struct spawn_end){
		    .ran = true,
		    .lost = true,
		    .why = "flowrra-spawner, which had started the command, "
			   "has died"};
		program_end(p);
	}
	timer_fire(s->turn);
}

/* Its children are ours since it is reaped, and dead, mostly: the kernel kills
 * them with it. Who changed its rights, or has left its group, is not. */
void
spawner_on_burial(void *arg)
{
	struct spawner *s = arg;

	if (children_kill() && --s->burials > 0) {
		timer_set_ms(s->burial, BURIAL_STEP_MS);
		return;
	}
	s->burials = 0;
	spawner_tell_lost(s);
}

void
spawner_lose(struct spawner *s)
{
	struct spawn *p;

	spawner_close(s);
	/* The kernel has killed the leaders; the rest of their groups, nobody. */
	TAILQ_FOREACH (p, &s->started, link)
		if (p->state == RUNNING)
			kill(-p->pid, SIGKILL);
	s->burials = BURIAL_MS / BURIAL_STEP_MS;
	timer_fire(s->burial);
}

/* The socket is the only descriptor of ours that it gets, beside those for its
 * own complaints. A group of its own: a signal to ours must not end it before
 * it has killed what it runs. */
static int
spawner_exec(struct spawner *s, int fd, struct err *err)
{
	const char *argv[] = {"flowrra-spawner", NULL};
	const int fds[] = {-1, STDOUT_FILENO, STDERR_FILENO, fd};
	const struct proc_options o = {.path = s->path,
				       .argv = argv,
				       .fds = fds,
				       .n_fds = 4,
				       .new_group = true};

	return proc_spawn(&o, &s->pid, err);
}

int
spawner_open(struct spawner *s, const struct spawner_events *e, struct err *err)
{
	int pair[2];

	/* Two descriptors a program are soon more than the usual 1024. No code
	 * but ours runs in the executor of commands. */
	limits_raise_files();
	/* Should it die, what it ran is not to be lost sight of. */
	if (children_adopt() != 0)
		return err_sys(err, ERR_SYSTEM,
			       "cannot adopt the children of %s", s->path);
	/* Packets: an order and its descriptors stay together, and there is
	 * nothing to be put in frames. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a socket for %s",
			       s->path);
	if (spawner_exec(s, pair[1], err) != 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	close(pair[1]);
	s->fd = pair[0];
	s->readable =
	    event_new(s->base, s->fd, EV_READ | EV_PERSIST, e->on_reply, s);
	s->writable = event_new(s->base, s->fd, EV_WRITE, e->on_writable, s);
	if (s->readable != NULL && s->writable != NULL &&
	    event_add(s->readable, NULL) == 0)
		return 0;
	spawner_close(s);
	return err_nomem(err);
}
