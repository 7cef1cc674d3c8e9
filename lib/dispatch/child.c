/* SPDX-License-Identifier: MIT */
/* One executor process: its socket, its pipes, its end. */
#include "dispatch/child.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/scan.h"
#include "dispatch/output.h"
#include "util/clock.h"
#include "util/conf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/proc.h"

#define READY_S 10
/* An executor closes its channel when it ends, and only then. */
#define END_S 1

struct child {
	struct child_options opt;
	pid_t pid;
	int pidfd;
	int crash_fd; /* the last words */
	struct ipc_channel channel;
	struct output *output; /* standard output and error */
	bool ready;
	bool closed; /* the channel is of no use any more */
	/* All that is pending. */
	struct event *on_frames;
	struct event *on_room;
	struct event *on_exit;
	struct event *on_deadline; /* for coming up, and for ending */
	struct event *flush;	   /* at the end of this turn of the loop */
};

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

void
child_kill(struct child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

/* The channel broke: without it the process is of no use. */
static void
give_up(struct child *c, const struct err *why)
{
	const struct timeval tv = {.tv_sec = END_S};

	c->closed = true;
	event_del(c->on_frames);
	event_del(c->on_room);
	if (why->code == ERR_UNAVAILABLE) { /* end of file: it is ending */
		event_add(c->on_deadline, &tv);
		return;
	}
	log_error("executor %d: %s; killing it", (int)c->pid, why->msg);
	child_kill(c);
}

/* --- messages ---------------------------------------------------------- */

static void
flush(struct child *c)
{
	struct err err;

	if (c->closed)
		return;
	switch (ipc_channel_flush(&c->channel, &err)) {
	case -1:
		give_up(c, &err);
		break;
	case 0:
		event_add(c->on_room, NULL);
		break;
	default:
		break;
	}
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

void
child_send(struct child *c, enum ipc_type type, uint32_t task,
	   const void *fixed, const struct slice *rest, size_t n_rest)
{
	if (c->closed)
		return; /* its end is near, and puts everything right */
	ipc_put(&c->channel.out, type, task, fixed, rest, n_rest);
	if (c->channel.out.failed) {
		struct err err;

		err_nomem(&err);
		give_up(c, &err);
		return;
	}
	event_active(c->flush, EV_TIMEOUT, 0);
}

/* HELLO was checked by its own version field; READY makes it useful. */
static int
greet(struct child *c, const struct ipc_message *m, struct err *err)
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
	if (m->type != IPC_READY)
		return err_set(err, ERR_INTERNAL, "%s before READY",
			       ipc_name(m->type));
	c->ready = true;
	event_del(c->on_deadline);
	c->opt.on_ready(c, m->rest, c->opt.arg);
	return 0;
}

/* Handles all frames that were read. */
static int
take_frames(struct child *c, struct err *err)
{
	struct ipc_message m;
	int n;

	while ((n = ipc_channel_next(&c->channel, &m, err)) > 0) {
		if (!c->ready) {
			if (greet(c, &m, err) != 0)
				return -1;
		} else {
			c->opt.on_message(c, &m, c->opt.arg);
		}
		if (c->closed)
			return 0;
	}
	return n;
}

static void
on_frames(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct err err, end;
	int n;

	n = ipc_channel_read(&c->channel, &end);
	if (take_frames(c, &err) != 0)
		give_up(c, &err);
	else if (n < 0)
		give_up(c, &end);
}

static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	flush(arg);
}

/* --- the end ----------------------------------------------------------- */

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	if (!c->ready)
		log_error("executor %d did not start within %d s; killing it",
			  (int)c->pid, READY_S);
	child_kill(c);
}

/* What it had sent before it died counts. */
static void
drain(struct child *c)
{
	struct err err;
	int n = 1;

	while (n > 0 && !c->closed) {
		n = ipc_channel_read(&c->channel, &err);
		if (take_frames(c, &err) != 0)
			break;
	}
	output_drain(c->output);
}

static void
on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct child_end end = {.ready = false};
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) !=
		0 ||
	    info.si_pid == 0)
		return;
	/* Handlers' children must not outlive them. Until it is reaped, its
	 * number is nobody else's. */
	kill(-c->pid, SIGKILL);
	waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	event_del(c->on_exit);
	drain(c);
	c->closed = true;
	event_del(c->on_frames);
	event_del(c->on_room);
	event_del(c->on_deadline);
	end.ready = c->ready;
	if (info.si_code == CLD_EXITED)
		end.status = info.si_status;
	else
		end.signal = info.si_status;
	end.spoken = read(c->crash_fd, &end.words, sizeof(end.words)) ==
		     (ssize_t)sizeof(end.words);
	c->pid = 0;
	c->opt.on_end(c, &end, c->opt.arg);
}

void
child_free(struct child *c)
{
	if (c == NULL)
		return;
	if (c->pid > 0) {
		kill(-c->pid, SIGKILL);
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	output_free(c->output);
	if (c->on_frames != NULL)
		event_free(c->on_frames);
	if (c->on_room != NULL)
		event_free(c->on_room);
	if (c->on_exit != NULL)
		event_free(c->on_exit);
	if (c->on_deadline != NULL)
		event_free(c->on_deadline);
	if (c->flush != NULL)
		event_free(c->flush);
	ipc_channel_done(&c->channel);
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->crash_fd >= 0)
		close(c->crash_fd);
	free(c);
}

/* --- the beginning ----------------------------------------------------- */

/* The parent's ends and the child's ends of the socket and the pipes. */
struct ends {
	int socket[2], crash[2], out[2], error[2];
};

static void
close_all(int *fds, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int
make_ends(struct ends *e, struct err *err)
{
	memset(e, 0xff, sizeof(*e)); /* all -1 */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->socket) !=
		0 ||
	    pipe2(e->crash, O_CLOEXEC) != 0 || pipe2(e->out, O_CLOEXEC) != 0 ||
	    pipe2(e->error, O_CLOEXEC) != 0 ||
	    fcntl(e->crash[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(e->out[0], F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(e->error[0], F_SETFL, O_NONBLOCK) != 0) {
		err_sys(err, ERR_SYSTEM, "cannot make pipes for an executor");
		close_all(&e->socket[0], sizeof(*e) / sizeof(int));
		return -1;
	}
	return 0;
}

static int
spawn(struct child *c, const struct ends *e, struct err *err)
{
	const char *argv[] = {"flowrra-executor", NULL};
	const int fds[] = {-1, e->out[1], e->error[1], e->socket[1],
			   e->crash[1]};
	char **environment = conf_public_environment();
	const struct proc_options options = {
	    .path = c->opt.executor,
	    .argv = argv,
	    .envp = (const char *const *)environment,
	    .fds = fds,
	    .n_fds = 5,
	    .new_group = true,
	    .die_with_parent = true};

	int r;

	if (environment == NULL)
		return err_nomem(err);
	r = proc_spawn(&options, &c->pid, err);
	free(environment);
	if (r != 0)
		return -1;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot watch executor %d",
			       (int)c->pid);
	return 0;
}

static int
make_events(struct child *c, const struct ends *e, struct err *err)
{
	const struct timeval tv = {.tv_sec = READY_S};
	struct event_base *base = c->opt.base;

	c->output = output_new(base, e->out[0], e->error[0], c->opt.on_line, c,
			       c->opt.arg);
	c->on_frames =
	    event_new(base, c->channel.fd, EV_READ | EV_PERSIST, on_frames, c);
	c->on_room = event_new(base, c->channel.fd, EV_WRITE, on_room, c);
	c->on_exit =
	    event_new(base, c->pidfd, EV_READ | EV_PERSIST, on_exit_event, c);
	c->on_deadline = evtimer_new(base, on_deadline, c);
	c->flush = evtimer_new(base, on_flush, c);
	if (c->output == NULL || c->on_frames == NULL || c->on_room == NULL ||
	    c->on_exit == NULL || c->on_deadline == NULL || c->flush == NULL)
		return err_nomem(err);
	event_add(c->on_frames, NULL);
	event_add(c->on_exit, NULL);
	event_add(c->on_deadline, &tv);
	return 0;
}

static void
send_init(struct child *c)
{
	const struct ipc_init init = {.version = IPC_VERSION,
				      .threads = c->opt.threads,
				      .asynchronous = c->opt.asynchronous,
				      .max_result = c->opt.max_result};
	struct buf json = BUF_INIT;
	const char *const *m;

	buf_adds(&json, "{\"modules\":[");
	for (m = c->opt.modules; *m != NULL; m++) {
		if (m != c->opt.modules)
			buf_addc(&json, ',');
		scan_quote(&json, slice_of(*m));
	}
	buf_addf(&json, "],\"config\":%s}", c->opt.config);
	child_send(c, IPC_INIT, 0, &init, &(struct slice){json.data, json.len},
		   1);
	buf_done(&json);
}

struct child *
child_new(const struct child_options *options, struct err *err)
{
	struct child *c = calloc(1, sizeof(*c));
	struct ends e;

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->opt = *options;
	c->pidfd = c->crash_fd = -1;
	if (make_ends(&e, err) != 0) {
		free(c);
		return NULL;
	}
	fcntl(e.socket[0], F_SETFL, O_NONBLOCK);
	ipc_channel_init(&c->channel, e.socket[0], IPC_TO_DAEMON);
	c->crash_fd = e.crash[0];
	if (spawn(c, &e, err) != 0 || make_events(c, &e, err) != 0) {
		if (c->output == NULL) {
			close(e.out[0]);
			close(e.error[0]);
		}
		child_free(c);
		c = NULL;
	}
	close(e.socket[1]);
	close(e.crash[1]);
	close(e.out[1]);
	close(e.error[1]);
	if (c != NULL)
		send_init(c);
	return c;
}
