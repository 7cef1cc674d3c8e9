/* SPDX-License-Identifier: MIT */
/* Drives a real flowrra-executor over its socket, as flowrrad does. */
#include "executor/driver.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "util/err.h"
#include "util/proc.h"

#define DEADLINE_MS 10000
#define MAX_RESULT 65536

const char *
driver_path(const char *relative)
{
	static char path[4096];
	const char *build = getenv("BUILD_DIR");

	ck_assert_msg(build != NULL, "BUILD_DIR is not set");
	snprintf(path, sizeof(path), "%s/%s", build, relative);
	return path;
}

void
driver_spawn(struct driver *d)
{
	int pair[2], crash[2], fds[] = {-1, 1, 2, 0, 0};
	const char *path = driver_path("libexec/flowrra/flowrra-executor");
	const char *argv[] = {path, NULL};
	struct proc_options o = {.path = path,
				 .argv = argv,
				 .fds = fds,
				 .n_fds = 5,
				 .new_group = true,
				 .die_with_parent = true};
	struct err err = ERR_INIT;

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(crash, O_CLOEXEC), 0);
	fds[IPC_FD] = pair[1];
	fds[IPC_CRASH_FD] = crash[1];
	ck_assert_msg(proc_spawn(&o, &d->pid, &err) == 0, "%s", err.msg);
	close(pair[1]);
	close(crash[1]);
	d->crash_fd = crash[0];
	d->ready = NULL;
	ipc_channel_init(&d->channel, pair[0], IPC_TO_DAEMON);
	driver_expect(d, IPC_HELLO);
}

void
driver_init(struct driver *d, unsigned int threads, const char *modules)
{
	struct ipc_init init = {IPC_VERSION, threads, 1, MAX_RESULT};
	struct buf json = BUF_INIT;
	char *list = strdup(modules), *name, *save = NULL;
	struct ipc_message m;
	struct slice rest;

	buf_adds(&json, "{\"modules\":[");
	for (name = strtok_r(list, " ", &save); name != NULL;
	     name = strtok_r(NULL, " ", &save)) {
		buf_addf(&json, "%s\"%s/%s/%s.so\"",
			 json.data[json.len - 1] == '[' ? "" : ",",
			 getenv("BUILD_DIR"),
			 strcmp(name, "demo") == 0 ? "lib/flowrra"
						   : "tests/modules",
			 name);
	}
	buf_adds(&json, "]}");
	free(list);
	rest = (struct slice){json.data, json.len};
	ipc_put(&d->channel.out, IPC_INIT, 0, &init, &rest, 1);
	buf_done(&json);
	driver_flush(d);
	m = driver_expect(d, IPC_READY);
	d->ready = strndup(m.rest.p, m.rest.len);
}

void
driver_start(struct driver *d, unsigned int threads, const char *modules)
{
	driver_spawn(d);
	driver_init(d, threads, modules);
	ck_assert_msg(strstr(d->ready, "\"refused\":[]") != NULL, "%s",
		      d->ready);
}

void
driver_done(struct driver *d)
{
	ipc_channel_done(&d->channel);
	close(d->crash_fd);
	free(d->ready);
}

void
driver_stop(struct driver *d)
{
	driver_send(d, IPC_STOP, 0);
	ck_assert_int_eq(driver_wait(d), 0);
	driver_done(d);
}

void
driver_kill(struct driver *d)
{
	kill(d->pid, SIGKILL);
	driver_wait(d);
	driver_done(d);
}

void
driver_put(struct driver *d, const struct driver_task *t)
{
	static const char id[] = "8fb37713-716f-438c-884e-c73492692d08";
	struct slice parts[] = {
	    SLICE(id),
	    slice_of(t->name),
	    slice_of(t->args ? t->args : "[]"),
	    slice_of(t->kwargs ? t->kwargs : "{}"),
	};
	struct ipc_run run = {.timeout_us = t->timeout_us,
			      .attempt = t->attempt ? t->attempt : 1,
			      .max_attempts = 4,
			      .id_len = (uint32_t)parts[0].len,
			      .name_len = (uint32_t)parts[1].len,
			      .args_len = (uint32_t)parts[2].len,
			      .kwargs_len = (uint32_t)parts[3].len};

	ipc_put(&d->channel.out, IPC_RUN, t->number, &run, parts, 4);
}

static void
wait_for(struct driver *d, short events)
{
	struct pollfd p = {.fd = d->channel.fd, .events = events};

	ck_assert_msg(poll(&p, 1, DEADLINE_MS) == 1,
		      "the executor does not answer");
}

void
driver_flush(struct driver *d)
{
	struct err err = ERR_INIT;
	int r;

	while ((r = ipc_channel_flush(&d->channel, &err)) == 0)
		wait_for(d, POLLOUT);
	ck_assert_msg(r == 1, "%s", err.msg);
}

void
driver_run(struct driver *d, uint32_t number, const char *name,
	   const char *args)
{
	struct driver_task t = {.number = number, .name = name, .args = args};

	driver_put(d, &t);
	driver_flush(d);
}

void
driver_send(struct driver *d, enum ipc_type type, uint32_t number)
{
	ipc_put(&d->channel.out, type, number, NULL, NULL, 0);
	driver_flush(d);
}

struct ipc_message
driver_next(struct driver *d)
{
	struct err err = ERR_INIT;
	struct ipc_message m;
	int r;

	while ((r = ipc_channel_next(&d->channel, &m, &err)) == 0) {
		wait_for(d, POLLIN);
		ck_assert_msg(ipc_channel_read(&d->channel, &err) != -1, "%s",
			      err.msg);
	}
	ck_assert_msg(r == 1, "%s", err.msg);
	return m;
}

struct ipc_message
driver_expect(struct driver *d, enum ipc_type type)
{
	struct ipc_message m;

	do
		m = driver_next(d);
	while ((m.type == IPC_STARTED && type != IPC_STARTED) ||
	       (m.type == IPC_LOADING && type != IPC_LOADING));
	ck_assert_msg(m.type == type, "%s of task %u came instead of %s",
		      ipc_name(m.type), m.task, ipc_name(type));
	return m;
}

struct driver_end
driver_end(struct driver *d)
{
	struct ipc_message m = driver_expect(d, IPC_DONE);
	struct driver_end end = {.number = m.task};

	memcpy(&end.done, m.fixed, sizeof(end.done));
	snprintf(end.text, sizeof(end.text), "%.*s", (int)m.rest.len, m.rest.p);
	return end;
}

int
driver_wait(struct driver *d)
{
	int fd = (int)syscall(SYS_pidfd_open, d->pid, 0), status = -1;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(poll(&p, 1, DEADLINE_MS) == 1,
		      "the executor does not end");
	close(fd);
	ck_assert_int_eq(waitpid(d->pid, &status, 0), d->pid);
	return status;
}

int
driver_last_words(struct driver *d, struct ipc_last_words *ret)
{
	return read(d->crash_fd, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -1;
}
