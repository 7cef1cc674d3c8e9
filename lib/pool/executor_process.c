/* SPDX-License-Identifier: MIT */
/*
 * One executor process: its socket, its pipes, its end.
 *
 * The parent keeps four things of it: the socket for frames, the pipes of its
 * standard output and error, a pipe for its last words, and a descriptor of its
 * end (proc_watch()). The end is what that says, never what the socket says: a
 * closed channel only makes the process useless, and on_end must come once, after
 * all that it had sent.
 */
#include "pool/executor_process.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/scan.h"
#include "pool/output.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/limits.h"
#include "util/log.h"
#include "util/proc.h"

/* An executor closes its channel when it ends, and only then: its modules are
 * finished before that. What is left is the exit of a process, which takes ms
 * where it does not write a core file. */
#define END_S 1

struct executor_process {
	struct executor_process_options opt;
	pid_t pid;
	int exit_fd;  /* of proc_watch() */
	int crash_fd; /* the last words */
	struct ipc_channel channel;
	struct output *output; /* standard output and error */
	bool ready;	       /* READY has come: messages may follow */
	char *loading; /* the last module that it was going to load, or NULL */
	bool closed;   /* nothing more is read from the channel, or sent */
	/* All that is pending. */
	struct event *on_frames;
	struct event *on_room;
	struct event *on_exit;
	struct event *on_deadline; /* for coming up, and for ending */
	struct event *flush;	   /* at the end of this turn of the loop */
};

pid_t
executor_process_pid(const struct executor_process *p)
{
	return p->pid;
}

void
executor_process_kill(struct executor_process *p)
{
	if (p->pid > 0)
		kill(p->pid, SIGKILL);
}

/*
 * The channel broke: without it the process is of no use. One that is ending
 * is given a moment, so that its own exit status is seen and not our SIGKILL;
 * one that sent what is not a message is killed at once, as nothing can be
 * believed that it does from now on.
 */
static void
process_give_up(struct executor_process *p, const struct err *why)
{
	const struct timeval tv = {.tv_sec = END_S};

	p->closed = true;
	event_del(p->on_frames);
	event_del(p->on_room);
	if (why->code == ERR_UNAVAILABLE) { /* end of file: it is ending */
		event_add(p->on_deadline, &tv);
		return;
	}
	log_error("executor %d: %s; killing it", (int)p->pid, why->msg);
	executor_process_kill(p);
}

/* --- messages ---------------------------------------------------------- */

/* Sends as much as the socket takes; the rest when it has room again. */
static void
process_flush(struct executor_process *p)
{
	struct err err;

	if (p->closed)
		return;
	switch (ipc_channel_flush(&p->channel, &err)) {
	case -1:
		process_give_up(p, &err);
		break;
	case 0:
		event_add(p->on_room, NULL);
		break;
	default:
		break;
	}
}

static void
on_process_flush(evutil_socket_t fd, short what, void *arg)
{
	process_flush(arg);
}

void
executor_process_send(struct executor_process *p, enum ipc_type type,
		      uint32_t task, const void *fixed,
		      const struct slice *rest, size_t n_rest)
{
	if (p->closed)
		return; /* its end is near, and puts everything right */
	ipc_put(&p->channel.out, type, task, fixed, rest, n_rest);
	if (p->channel.out.failed) {
		struct err err;

		err_nomem(&err);
		process_give_up(p, &err);
		return;
	}
	/* Not now: jobs that are given out in one turn of the loop leave in
	 * one write, and wake the executor once. */
	event_active(p->flush, EV_TIMEOUT, 0);
}

/* Before READY only HELLO may come, and LOADING. HELLO has the executor's version,
 * and INIT has ours: the executor checks that as well, and then ends with a
 * reason. */
static int
process_greet(struct executor_process *p, const struct ipc_message *m,
	      struct err *err)
{
	const struct ipc_hello *hello = m->fixed;

	if (m->type == IPC_HELLO) {
		if (hello->version == IPC_VERSION)
			return 0;
		return err_set(
		    err, ERR_INTERNAL,
		    "it speaks version %u of the protocol, not %u; "
		    "flowrrad and flowrra-executor must be installed "
		    "together",
		    hello->version, IPC_VERSION);
	}
	if (m->type == IPC_LOADING) {
		free(p->loading);
		p->loading = strndup(m->rest.p, m->rest.len);
		return 0;
	}
	if (m->type != IPC_READY)
		return err_set(err, ERR_INTERNAL, "%s before READY",
			       ipc_name(m->type));
	p->ready = true;
	event_del(p->on_deadline);
	p->opt.on_ready(p, m->rest, p->opt.arg);
	return 0;
}

/* Handles all frames that were read. A callback may have killed the process or
 * broken the channel: then the rest of the frames is not to be looked at. */
static int
process_take_frames(struct executor_process *p, struct err *err)
{
	struct ipc_message m;
	int n;

	while ((n = ipc_channel_next(&p->channel, &m, err)) > 0) {
		if (!p->ready) {
			if (process_greet(p, &m, err) != 0)
				return -1;
		} else {
			p->opt.on_message(p, &m, p->opt.arg);
		}
		if (p->closed)
			return 0;
	}
	return n;
}

static void
on_process_frames(evutil_socket_t fd, short what, void *arg)
{
	struct executor_process *p = arg;
	struct err err, end;
	int n;

	n = ipc_channel_read(&p->channel, &end);
	/* First what was read, then what the reading said: the last frames come
	 * together with the end of file. */
	if (process_take_frames(p, &err) != 0)
		process_give_up(p, &err);
	else if (n < 0)
		process_give_up(p, &end);
}

static void
on_process_room(evutil_socket_t fd, short what, void *arg)
{
	process_flush(arg);
}

/* --- the end ----------------------------------------------------------- */

/* It did not come up in time, or did not end after it had closed its
 * channel. */
static void
on_process_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct executor_process *p = arg;

	if (!p->ready)
		log_error("executor %d did not start within %g s%s%s; killing "
			  "it",
			  (int)p->pid, p->opt.ready_ms / 1e3,
			  p->loading != NULL ? "; it loads module " : "",
			  p->loading != NULL ? p->loading : "");
	executor_process_kill(p);
}

/* What a socket can hold, by far. What a handler has started, and has left its
 * group, may have the socket, too, and write for as long as we read. */
#define DRAIN_READS 16

/* What it had sent before it died counts. The socket and the pipes outlive it,
 * so nothing of it is lost; what breaks now is of no interest any more. */
static void
process_drain(struct executor_process *p)
{
	unsigned int reads;
	struct err err;
	int n = 1;

	for (reads = 0; n > 0 && !p->closed && reads < DRAIN_READS; reads++) {
		n = ipc_channel_read(&p->channel, &err);
		if (process_take_frames(p, &err) != 0)
			break;
	}
	output_drain(p->output);
}

void
executor_process_read_output(struct executor_process *p)
{
	output_read(p->output);
}

/*
 * exit_fd is readable. In this order: look without reaping, kill the group
 * while its number is still taken, reap, deliver what is left, and only then
 * tell the end. After that nothing may fire: the owner may keep the struct.
 */
static void
on_process_exit(evutil_socket_t fd, short what, void *arg)
{
	struct executor_process *p = arg;
	struct executor_exit end = {.ready = false};
	siginfo_t info = {.si_pid = 0};

	/* ECHILD: somebody else has reaped it, or the kernel by itself, where
	 * SIGCHLD is ignored. An end it is all the same, of unknown status. */
	if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		0 &&
	    info.si_pid == 0)
		return;
	/* Handlers' children must not outlive them. Until it is reaped, its
	 * number is nobody else's. */
	kill(-p->pid, SIGKILL);
	waitid(P_PID, (id_t)p->pid, &info, WEXITED);
	event_del(p->on_exit);
	process_drain(p);
	p->closed = true;
	event_del(p->on_frames);
	event_del(p->on_room);
	event_del(p->on_deadline);
	end.ready = p->ready;
	end.loading = p->ready ? NULL : p->loading;
	if (info.si_code == CLD_EXITED)
		end.status = info.si_status;
	else
		end.signal = info.si_status;
	end.spoken = read(p->crash_fd, &end.words, sizeof(end.words)) ==
		     (ssize_t)sizeof(end.words);
	p->pid = 0;
	p->opt.on_end(p, &end, p->opt.arg);
}

void
executor_process_free(struct executor_process *p)
{
	if (p == NULL)
		return;
	/* The leader by itself, too: it may have left its group. Waiting is
	 * short after SIGKILL, and leaves no zombie behind. */
	if (p->pid > 0) {
		kill(-p->pid, SIGKILL);
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	output_free(p->output);
	free(p->loading);
	if (p->on_frames != NULL)
		event_free(p->on_frames);
	if (p->on_room != NULL)
		event_free(p->on_room);
	if (p->on_exit != NULL)
		event_free(p->on_exit);
	if (p->on_deadline != NULL)
		event_free(p->on_deadline);
	if (p->flush != NULL)
		event_free(p->flush);
	ipc_channel_done(&p->channel);
	if (p->exit_fd >= 0)
		close(p->exit_fd);
	if (p->crash_fd >= 0)
		close(p->crash_fd);
	free(p);
}

/* --- the beginning ----------------------------------------------------- */

/* The parent's ends and the child's ends of the socket and the pipes. */
struct process_ends {
	int socket[2], crash[2], out[2], error[2];
};

static void
process_close_fds(int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Whether this many descriptors are left behind these: new ones have the lowest
 * free numbers, so theirs say how many are taken. */
static bool
process_leaves(const struct process_ends *e, unsigned int spare)
{
	const int *fds = &e->socket[0];
	int highest = -1;
	size_t i;

	for (i = 0; i < sizeof(*e) / sizeof(int); i++)
		highest = fds[i] > highest ? fds[i] : highest;
	if (spare == 0 || (uint64_t)highest + spare < limits_files())
		return true;
	errno = EMFILE;
	return false;
}

/* Only our ends do not block: a handler that prints expects that of a pipe. */
static int
process_make_ends(struct process_ends *e, unsigned int spare, struct err *err)
{
	memset(e, 0xff, sizeof(*e)); /* all -1 */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->socket) !=
		0 ||
	    pipe2(e->crash, O_CLOEXEC) != 0 || pipe2(e->out, O_CLOEXEC) != 0 ||
	    pipe2(e->error, O_CLOEXEC) != 0 || !process_leaves(e, spare) ||
	    fcntl(e->crash[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(e->out[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(e->error[0], F_SETFL, O_NONBLOCK) != 0) {
		err_sys(err, ERR_SYSTEM, "cannot make pipes for an executor");
		process_close_fds(&e->socket[0], sizeof(*e) / sizeof(int));
		return -1;
	}
	return 0;
}

/*
 * Starts the program with exactly these descriptors: standard input is empty,
 * then output, error, IPC_FD and IPC_CRASH_FD. The environment is without our
 * passwords, as handlers are the code of others. It dies with us, so that a
 * worker that was killed leaves nothing behind that still runs its tasks.
 */
static int
process_spawn(struct executor_process *p, const struct process_ends *e,
	      struct err *err)
{
	const char *argv[] = {"flowrra-executor", NULL};
	const int fds[] = {-1, e->out[1], e->error[1], e->socket[1],
			   e->crash[1]};
	char **environment = conf_public_environment();
	const struct proc_options options = {
	    .path = p->opt.executor,
	    .argv = argv,
	    .envp = (const char *const *)environment,
	    .fds = fds,
	    .n_fds = 5,
	    .new_group = true,
	    .die_with_parent = true};
	int r;

	if (environment == NULL)
		return err_nomem(err);
	r = proc_spawn(&options, &p->pid, err);
	free(environment);
	if (r != 0)
		return -1;
	if ((p->exit_fd = proc_watch(p->pid, err)) < 0)
		return err_prefix(err, "executor %d", (int)p->pid);
	return 0;
}

static int
process_make_events(struct executor_process *p, const struct process_ends *e,
		    struct err *err)
{
	const struct timeval tv = {.tv_sec = p->opt.ready_ms / 1000,
				   .tv_usec = p->opt.ready_ms % 1000 * 1000};
	struct event_base *base = p->opt.base;

	p->output = output_new(base, e->out[0], e->error[0], p->opt.on_line, p,
			       p->opt.arg);
	p->on_frames = event_new(base, p->channel.fd, EV_READ | EV_PERSIST,
				 on_process_frames, p);
	p->on_room =
	    event_new(base, p->channel.fd, EV_WRITE, on_process_room, p);
	p->on_exit = event_new(base, p->exit_fd, EV_READ | EV_PERSIST,
			       on_process_exit, p);
	p->on_deadline = evtimer_new(base, on_process_deadline, p);
	p->flush = evtimer_new(base, on_process_flush, p);
	if (p->output == NULL || p->on_frames == NULL || p->on_room == NULL ||
	    p->on_exit == NULL || p->on_deadline == NULL || p->flush == NULL)
		return err_nomem(err);
	event_add(p->on_frames, NULL);
	event_add(p->on_exit, NULL);
	event_add(p->on_deadline, &tv);
	return 0;
}

static void
process_send_init(struct executor_process *p)
{
	const struct ipc_init init = {.version = IPC_VERSION,
				      .threads = p->opt.threads,
				      .asynchronous = p->opt.asynchronous,
				      .max_result = p->opt.max_result};
	struct buf json = BUF_INIT;
	const char *const *m;

	buf_adds(&json, "{\"modules\":[");
	for (m = p->opt.modules; *m != NULL; m++) {
		if (m != p->opt.modules)
			buf_addc(&json, ',');
		scan_quote(&json, slice_of(*m));
	}
	buf_addf(&json, "],\"config\":%s}", p->opt.config);
	executor_process_send(p, IPC_INIT, 0, &init,
			      &(struct slice){json.data, json.len}, 1);
	buf_done(&json);
}

struct executor_process *
executor_process_new(const struct executor_process_options *options,
		     struct err *err)
{
	struct executor_process *p = calloc(1, sizeof(*p));
	struct process_ends e;

	if (p == NULL) {
		err_nomem(err);
		return NULL;
	}
	p->opt = *options;
	if (p->opt.ready_ms == 0)
		p->opt.ready_ms = EXECUTOR_READY_MS;
	p->exit_fd = p->crash_fd = -1;
	if (process_make_ends(&e, p->opt.spare_files, err) != 0) {
		free(p);
		return NULL;
	}
	fcntl(e.socket[0], F_SETFL, O_NONBLOCK);
	ipc_channel_init(&p->channel, e.socket[0], IPC_TO_DAEMON);
	p->crash_fd = e.crash[0];
	if (process_spawn(p, &e, err) != 0 ||
	    process_make_events(p, &e, err) != 0) {
		/* Else they are the output's, which closes them. */
		if (p->output == NULL) {
			close(e.out[0]);
			close(e.error[0]);
		}
		executor_process_free(p);
		p = NULL;
	}
	/* The child has its own copies; ours would keep the pipes from ever
	 * ending. */
	close(e.socket[1]);
	close(e.crash[1]);
	close(e.out[1]);
	close(e.error[1]);
	if (p != NULL)
		process_send_init(p);
	return p;
}
