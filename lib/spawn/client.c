/* SPDX-License-Identifier: MIT */
/*
 * Runs programs through a spawner.
 *
 * A program goes WAITING -> ASKED -> RUNNING -> OVER, and may go to OVER from
 * any of them; from ASKED it goes back to WAITING when descriptors, processes
 * or memory are short. It is in one list at a time, the one of its state
 * (`started` holds ASKED and RUNNING), and has a number while it is in
 * `started`. All
 * callbacks come out of the loop, from spawner_on_turn() or a pipe, and never
 * out of a function that the caller calls.
 */
#include "spawn/client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn/children.h"
#include "spawn/send.h"
#include "spawn/spawn.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/proc.h"
#include "util/timer.h"

/* Orders that may wait for an answer: enough to keep the spawner busy, and few
 * enough that neither its socket nor the limit on descriptors that are under
 * way between processes is ever reached. */
#define ASKED_MAX 32
/* While something is short, and no program of ours ends: others may have given
 * it back. A person does not notice it, and four tries a second cost nothing. */
#define SHORT_MS 250
/* Descriptors that programs leave to the rest of the process, whose files and
 * sockets must not fail for the sake of one program more: a sixteenth of all,
 * within these bounds. */
#define RESERVE_MIN 8
#define RESERVE_MAX 64
/* What a pipe holds by default: one read empties it. */
#define READ_SIZE 65536
/* Twice what a pipe holds at most, if no administrator allowed more
 * (pipe(7)). */
#define DRAIN_MAX (2u << 20)

/* SIGKILL works within ms. A process in an uninterruptible sleep may never end:
 * as long as the spawner itself would, we wait for it. */
#define BURIAL_MS 5000
#define BURIAL_STEP_MS 5

enum state {
	WAITING, /* its orders have not been sent */
	ASKED,	 /* they have */
	RUNNING,
	OVER, /* its end is known and will be told */
};

struct spawn {
	TAILQ_ENTRY(spawn) link;
	struct spawner *spawner;
	enum state state;
	uint32_t number; /* its index in the spawner's table */
	pid_t pid;	 /* once it is RUNNING */
	struct buf orders;
	struct buf input;
	int fds[2]; /* our ends of standard output and error; -1: closed */
	struct event *readable[2];
	int signal_due;	     /* one that could not be sent yet */
	unsigned int shorts; /* the spawner's, when it came */
	bool signalled;	 /* one was to be sent: it does not begin once more */
	bool withdrawn;	 /* it is to end unless it begins now */
	uint64_t serial; /* the order of those that wait */
	void (*on_output)(void *arg, int fd, const char *p, size_t len);
	void (*on_end)(void *arg, const struct spawn_end *end);
	void (*on_begin)(void *arg);
	void (*on_short)(void *arg, const char *why);
	void *arg;
	char *program;
	struct spawn_end end;
	char why[ERR_MSG_MAX];
};
TAILQ_HEAD(spawn_list, spawn);

struct spawner {
	struct event_base *base;
	char *path;
	int fd; /* -1: there is no process */
	pid_t pid;
	struct event *readable, *writable;
	struct timer *turn;  /* starts and tells what was put off */
	struct timer *again; /* while something is short */
	/* After the spawner's death, until what it ran is gone. */
	struct timer *burial;
	unsigned int burials; /* steps of it that are left; 0: none */
	struct spawn_list waiting, started, over;
	unsigned int asked;
	/* How many may be ASKED at once: 1 when something was short, and twice
	 * as many with each that begins, so that few begin in vain. */
	unsigned int asked_max;
	bool is_short;	     /* nothing is asked until one ends, or `again` */
	unsigned int shorts; /* times that something was short */
	uint64_t serial;
	struct spawn **table; /* by number; NULL: free */
	size_t cap;
	size_t free_from; /* no number below is free */
	char buffer[READ_SIZE];
};

static const char *const steps[] = {
#define X(name, text) [SPAWN_STEP_##name] = (text),
    SPAWN_STEPS(X)
#undef X
};

/* --- numbers ------------------------------------------------------------- */

/* The lowest free number, so that the table stays as small as the most programs
 * that ever ran at once. -1 when memory runs out. */
static int
spawner_take_number(struct spawner *s, struct spawn *p)
{
	struct spawn **more;
	size_t cap;

	while (s->free_from < s->cap && s->table[s->free_from] != NULL)
		s->free_from++;
	if (s->free_from == s->cap) {
		cap = s->cap ? s->cap * 2 : 64;
		more = reallocarray(s->table, cap, sizeof(void *));
		if (more == NULL)
			return -1;
		memset(more + s->cap, 0, (cap - s->cap) * sizeof(void *));
		s->table = more;
		s->cap = cap;
	}
	p->number = (uint32_t)s->free_from;
	s->table[p->number] = p;
	return 0;
}

static void
spawner_give_number(struct spawner *s, const struct spawn *p)
{
	s->table[p->number] = NULL;
	if (p->number < s->free_from)
		s->free_from = p->number;
}

/* --- output -------------------------------------------------------------- */

static void
close_output(struct spawn *p, int i)
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
read_output(struct spawn *p, int i)
{
	char *buffer = p->spawner->buffer;
	ssize_t n;

	/* The buffer is the spawner's: output is handed on at once, so that
	 * thousands of programs need one of them. */
	if (p->fds[i] == -1)
		return 0;
	n = read(p->fds[i], buffer, READ_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		close_output(p, i);
		return 0;
	}
	p->on_output(p->arg, i + 1, buffer, (size_t)n);
	return (size_t)n;
}

static void
on_stdout(evutil_socket_t fd, short what, void *arg)
{
	read_output(arg, 0);
}

static void
on_stderr(evutil_socket_t fd, short what, void *arg)
{
	read_output(arg, 1);
}

/* What it wrote before it ended. Who left its group may go on writing. */
static void
drain_output(struct spawn *p)
{
	size_t n, sum;
	int i;

	for (i = 0; i < 2; i++) {
		for (sum = 0; sum < DRAIN_MAX; sum += n)
			if ((n = read_output(p, i)) == 0)
				break;
		close_output(p, i);
	}
}

/* --- the end of a program ------------------------------------------------ */

static void
free_spawn(struct spawn *p)
{
	close_output(p, 0);
	close_output(p, 1);
	buf_done(&p->orders);
	buf_done(&p->input);
	free(p->program);
	free(p);
}

/* To be told in a while: callers need not expect that a function of theirs
 * runs inside one that they call. */
static void
end_later(struct spawn *p)
{
	struct spawner *s = p->spawner;

	if (p->state == ASKED)
		s->asked--;
	/* It may have given back what others wait for. */
	s->is_short = false;
	if (p->state != WAITING)
		spawner_give_number(s, p);
	TAILQ_REMOVE(p->state == WAITING ? &s->waiting : &s->started, p, link);
	TAILQ_INSERT_TAIL(&s->over, p, link);
	p->state = OVER;
	timer_fire(s->turn);
}

/* It did not begin; `step` completes "could not". */
static void
end_failed(struct spawn *p, const char *step, int sys)
{
	snprintf(p->why, sizeof(p->why), "cannot start %s: could not %s: %s",
		 p->program, step, strerrordesc_np(sys));
	p->end = (struct spawn_end){.why = p->why, .sys = sys};
	end_later(p);
}

/* --- what is short ------------------------------------------------------- */

static size_t
spawner_count_waiting(const struct spawner *s)
{
	const struct spawn *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &s->waiting, link)
		n++;
	return n;
}

/* `step` completes "could not". */
static void
spawner_tell_short(struct spawner *s, struct spawn *p, const char *step,
		   int sys)
{
	char limit[LIMITS_TEXT_MAX], why[ERR_MSG_MAX];

	if (p->on_short == NULL || !limits_warning_due(sys))
		return;
	limits_explain(sys, limit);
	snprintf(why, sizeof(why),
		 "%zu commands wait until others end; could not %s for %s: %s: "
		 "%s",
		 spawner_count_waiting(s), step, p->program,
		 strerrordesc_np(sys), limit);
	p->on_short(p->arg, why);
}

/* Back among those that wait, in the order in which they came: others that were
 * asked for with it may have come back before. */
static void
spawn_wait_again(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn *next = TAILQ_FIRST(&s->waiting);

	if (p->state != WAITING) {
		s->asked--;
		spawner_give_number(s, p);
		TAILQ_REMOVE(&s->started, p, link);
		while (next != NULL && next->serial < p->serial)
			next = TAILQ_NEXT(next, link);
		if (next != NULL)
			TAILQ_INSERT_BEFORE(next, p, link);
		else
			TAILQ_INSERT_TAIL(&s->waiting, p, link);
		p->state = WAITING;
	}
	close_output(p, 0);
	close_output(p, 1);
}

/* It did not begin: if something was short, it waits until that is there, and
 * nobody is told that it failed. `step` completes "could not". */
static void
spawn_not_begun(struct spawn *p, const char *step, int sys)
{
	struct spawner *s = p->spawner;

	if (!limits_is_short(sys)) {
		end_failed(p, step, sys);
		return;
	}
	spawn_wait_again(p);
	if (p->signalled || p->withdrawn) {
		end_failed(p, "begin before it was told to end", ECANCELED);
		return;
	}
	s->asked_max = 1;
	s->is_short = true;
	s->shorts++;
	timer_set_ms(s->again, SHORT_MS);
	spawner_tell_short(s, p, step, sys);
}

static void
spawner_on_again(void *arg)
{
	struct spawner *s = arg;

	s->is_short = false;
	timer_fire(s->turn);
}

static void
tell_ends(struct spawner *s)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(&s->over)) != NULL) {
		TAILQ_REMOVE(&s->over, p, link);
		/* First: callers expect no output after the end. Not when the
		 * end came: the pipe may hold what was written before. */
		drain_output(p);
		p->on_end(p->arg, &p->end);
		free_spawn(p);
	}
}

/* --- the spawner's process ----------------------------------------------- */

/* It sees the end of its socket, kills what runs, and ends. */
static void
close_process(struct spawner *s)
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
tell_lost(struct spawner *s)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(&s->started)) != NULL) {
		p->end = (struct spawn_end){
		    .ran = true,
		    .lost = true,
		    .why = "flowrra-spawner, which had started the command, "
			   "has died"};
		end_later(p);
	}
	timer_fire(s->turn);
}

/* Its children are ours since it is reaped, and dead, mostly: the kernel kills
 * them with it. Who changed its rights, or has left its group, is not. */
static void
spawner_on_burial(void *arg)
{
	struct spawner *s = arg;

	if (children_kill() && --s->burials > 0) {
		timer_set_ms(s->burial, BURIAL_STEP_MS);
		return;
	}
	s->burials = 0;
	tell_lost(s);
}

/* It is gone, and with it all programs. Those that wait get the next spawner. */
static void
lose(struct spawner *s)
{
	struct spawn *p;

	close_process(s);
	/* The kernel has killed the leaders; the rest of their groups, nobody. */
	TAILQ_FOREACH (p, &s->started, link)
		if (p->state == RUNNING)
			kill(-p->pid, SIGKILL);
	s->burials = BURIAL_MS / BURIAL_STEP_MS;
	timer_fire(s->burial);
}

static void spawner_on_reply(evutil_socket_t fd, short what, void *arg);
static void spawner_on_writable(evutil_socket_t fd, short what, void *arg);

/* The socket is the only descriptor of ours that it gets, beside those for its
 * own complaints. A group of its own: a signal to ours must not end it before
 * it has killed what it runs. */
static int
start_process(struct spawner *s, int fd, struct err *err)
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

static int
open_process(struct spawner *s, struct err *err)
{
	int pair[2];

	/* Two descriptors a program are soon more than the usual 1024. An
	 * executor has done it before. */
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
	if (start_process(s, pair[1], err) != 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	close(pair[1]);
	s->fd = pair[0];
	s->readable = event_new(s->base, s->fd, EV_READ | EV_PERSIST,
				spawner_on_reply, s);
	s->writable =
	    event_new(s->base, s->fd, EV_WRITE, spawner_on_writable, s);
	if (s->readable != NULL && s->writable != NULL &&
	    event_add(s->readable, NULL) == 0)
		return 0;
	close_process(s);
	return err_nomem(err);
}

/* --- orders -------------------------------------------------------------- */

/* -1 with errno, like the other steps of an order. */
static int
watch_output(struct spawn *p)
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

/*
 * Whether too few descriptors are left behind these: new ones have the lowest
 * free numbers, so theirs say how many are taken. If nothing else runs there is
 * nothing to wait for.
 */
static bool
leaves_too_few(const struct spawn *p, const int theirs[SPAWN_N_FDS])
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

/* Fills `theirs` with the descriptors for an order; -1 with errno. */
static int
make_fds(struct spawn *p, int theirs[SPAWN_N_FDS])
{
	int out[2], error[2];

	if ((theirs[0] = send_memory_file(&p->orders)) == -1 ||
	    (theirs[1] = send_memory_file(&p->input)) == -1 ||
	    pipe2(out, O_CLOEXEC) != 0)
		return -1;
	p->fds[0] = out[0];
	theirs[2] = out[1];
	if (pipe2(error, O_CLOEXEC) != 0)
		return -1;
	p->fds[1] = error[0];
	theirs[3] = error[1];
	if (leaves_too_few(p, theirs)) {
		errno = EMFILE;
		return -1;
	}
	if (fcntl(p->fds[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(p->fds[1], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	return watch_output(p);
}

/* Sends one program's orders; -1 with errno, and it is to be told. */
static int
spawn_ask(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn_request r = {.order = SPAWN_START, .number = p->number};
	int fds[SPAWN_N_FDS] = {-1, -1, -1, -1}, i, result, sys;

	result = make_fds(p, fds);
	if (result == 0)
		result = send_request(s->fd, &r, fds);
	sys = errno;
	for (i = 0; i < SPAWN_N_FDS; i++)
		if (fds[i] != -1)
			close(fds[i]);
	errno = sys;
	return result;
}

/* There is no spawner, and none can be started now, or ever. */
static void
spawner_cannot_open(struct spawn *p, const struct err *err)
{
	if (limits_is_short(err->sys)) {
		spawn_not_begun(p, "start flowrra-spawner", err->sys);
		return;
	}
	snprintf(p->why, sizeof(p->why), "%s", err->msg);
	p->end = (struct spawn_end){.why = p->why, .sys = err->sys};
	end_later(p);
}

/* Takes the first out of `waiting`: to `started`, or to `over` with the reason
 * why not; if something is short it stays, and `is_short` is set. So
 * spawner_on_turn() always comes to an end. */
static void
spawner_ask_next(struct spawner *s)
{
	struct spawn *p = TAILQ_FIRST(&s->waiting);
	struct err err;

	if (s->fd == -1 && open_process(s, &err) != 0) {
		spawner_cannot_open(p, &err);
		return;
	}
	if (spawner_take_number(s, p) != 0) {
		spawn_not_begun(p, "make room for it", ENOMEM);
		return;
	}
	TAILQ_REMOVE(&s->waiting, p, link);
	TAILQ_INSERT_TAIL(&s->started, p, link);
	p->state = ASKED;
	s->asked++;
	if (spawn_ask(p) != 0)
		spawn_not_begun(p, "make pipes and send its orders", errno);
}

static void
spawner_on_turn(void *arg)
{
	struct spawner *s = arg;

	while (s->burials == 0 && !s->is_short && s->asked < s->asked_max &&
	       !TAILQ_EMPTY(&s->waiting))
		spawner_ask_next(s);
	tell_ends(s);
}

static void
try_signal(struct spawn *p)
{
	struct spawner *s = p->spawner;
	struct spawn_request r = {.order = SPAWN_SIGNAL,
				  .number = p->number,
				  .signal = p->signal_due};

	/* Any other error means that the spawner is dying: the end of its
	 * programs is told when its socket says so. */
	if (send_request(s->fd, &r, NULL) == 0)
		p->signal_due = 0;
	else if (errno == EAGAIN)
		event_add(s->writable, NULL);
}

static void
spawner_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;
	struct spawn *p;

	TAILQ_FOREACH (p, &s->started, link)
		if (p->signal_due != 0)
			try_signal(p);
}

/* --- replies ------------------------------------------------------------- */

static void
spawner_take_reply(struct spawner *s, const struct spawn_reply *r)
{
	struct spawn *p = r->number < s->cap ? s->table[r->number] : NULL;

	/* The spawner is our own program, and yet a number out of the table
	 * must not take the daemon down. */
	if (p == NULL)
		return;
	switch (r->news) {
	case SPAWN_STARTED:
		p->state = RUNNING;
		p->pid = r->status;
		/* Until now it might have had to be asked for once more. */
		buf_done(&p->orders);
		buf_done(&p->input);
		s->asked--;
		if (s->asked_max < ASKED_MAX)
			s->asked_max *= 2;
		timer_fire(s->turn);
		if ((p->shorts != s->shorts || p->withdrawn) &&
		    p->on_begin != NULL)
			p->on_begin(p->arg);
		break;
	case SPAWN_FAILED:
		spawn_not_begun(p, steps[r->step % SPAWN_N_STEPS], r->status);
		break;
	default:
		p->end = (struct spawn_end){.ran = true, .status = r->status};
		end_later(p);
		break;
	}
}

static void
spawner_on_reply(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;
	struct spawn_reply r;
	ssize_t n;

	while ((n = recv(s->fd, &r, sizeof(r), MSG_DONTWAIT)) ==
	       (ssize_t)sizeof(r))
		spawner_take_reply(s, &r);
	if (n == 0 || (n == -1 && errno != EINTR && !limits_is_short(errno)))
		lose(s);
}

/* --- for callers --------------------------------------------------------- */

struct spawner *
spawner_new(struct event_base *base, const char *path, struct err *err)
{
	struct spawner *s = calloc(1, sizeof(*s));

	if (s == NULL)
		goto fail;
	s->base = base;
	s->fd = -1;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->started);
	TAILQ_INIT(&s->over);
	s->path = strdup(path);
	s->asked_max = ASKED_MAX;
	s->turn = timer_new(base, spawner_on_turn, s);
	s->again = timer_new(base, spawner_on_again, s);
	s->burial = timer_new(base, spawner_on_burial, s);
	if (s->path != NULL && s->turn != NULL && s->again != NULL &&
	    s->burial != NULL)
		return s;
fail:
	spawner_free(s);
	err_nomem(err);
	return NULL;
}

static void
free_list(struct spawn_list *list)
{
	struct spawn *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, link);
		free_spawn(p);
	}
}

void
spawner_free(struct spawner *s)
{
	if (s == NULL)
		return;
	free_list(&s->waiting);
	free_list(&s->started);
	free_list(&s->over);
	timer_free(s->turn);
	timer_free(s->again);
	timer_free(s->burial);
	if (s->burials > 0)
		children_kill();
	if (s->fd != -1)
		close_process(s);
	free(s->table);
	free(s->path);
	free(s);
}

struct spawn *
spawn_start(struct spawner *s, const struct spawn_options *o, struct err *err)
{
	struct spawn *p = calloc(1, sizeof(*p));

	if (p == NULL)
		goto fail;
	p->spawner = s;
	p->fds[0] = p->fds[1] = -1;
	p->on_output = o->on_output;
	p->on_end = o->on_end;
	p->on_begin = o->on_begin;
	p->on_short = o->on_short;
	p->shorts = s->shorts;
	p->serial = s->serial++;
	p->arg = o->arg;
	p->program = strdup(o->orders.argv[0]);
	spawn_orders_write(&o->orders, &p->orders);
	buf_add(&p->input, o->input.p, o->input.len);
	if (p->program == NULL || p->orders.failed || p->input.failed)
		goto fail;
	TAILQ_INSERT_TAIL(&s->waiting, p, link);
	timer_fire(s->turn);
	return p;
fail:
	if (p != NULL)
		free_spawn(p);
	err_nomem(err);
	return NULL;
}

bool
spawn_withdraw(struct spawn *p)
{
	if (p->state == WAITING)
		end_failed(p, "begin before it was told to end", ECANCELED);
	else if (p->state == ASKED)
		p->withdrawn = true;
	else
		return false;
	return true;
}

void
spawn_signal(struct spawn *p, int sig)
{
	if (p->state == WAITING) {
		end_failed(p, "begin before it was told to end", ECANCELED);
		return;
	}
	if (p->state == OVER || p->spawner->burials > 0)
		return;
	/* A second signal replaces one that is still due: KILL comes after
	 * TERM, and says all. Orders are taken in their sequence, so one that
	 * was ASKED is started before it is signalled. */
	p->signalled = true;
	p->signal_due = sig;
	try_signal(p);
}
