/* SPDX-License-Identifier: MIT */
/* Workers of a world. */
#include "e2e/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/world_private.h"

/* What an orderly end may take: the tasks that run, and a slow machine. */
#define END_MS 60000

struct worker {
	struct world *world;
	const char *command, *log, *socket;
	pid_t pid; /* 0: not running */
	int notify_fd;
};

/* --- starting ------------------------------------------------------------ */

static struct sockaddr_un
notify_address(const struct worker *k)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", k->socket);
	return sun;
}

static void
listen_to(struct worker *k)
{
	const struct sockaddr_un sun = notify_address(k);

	k->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(k->notify_fd, 0);
	ck_assert_int_eq(
	    bind(k->notify_fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
}

static void
launch(struct worker *k)
{
	if ((k->pid = run_fork(k->world, k->log, k->log)) > 0)
		return;
	setenv("NOTIFY_SOCKET", k->socket, 1);
	run_exec(k->command);
}

struct worker *
worker_spawn(struct world *w, const char *command)
{
	struct worker *k = calloc(1, sizeof(*k));

	ck_assert_ptr_nonnull(k);
	ck_assert_uint_lt(w->n_workers, WORKERS_MAX);
	world_keep(w, (char *)k);
	k->world = w;
	k->command = command != NULL ? command : WORLD_COMMAND;
	k->log = world_text(w, "worker-%u.log", w->n_workers);
	k->socket = world_text(w, "%s/notify-%u", w->dir, w->n_workers);
	w->workers[w->n_workers++] = k;
	listen_to(k);
	launch(k);
	return k;
}

struct worker *
worker_start(struct world *w, const char *command)
{
	struct worker *k = worker_spawn(w, command);

	worker_notified(k, "READY=1");
	return k;
}

void
worker_restart(struct worker *k)
{
	ck_assert_int_eq(k->pid, 0);
	worker_forget_notified(k);
	launch(k);
	worker_notified(k, "READY=1");
}

struct worker *
worker_of(const struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->n_workers; i++)
		if (w->workers[i]->pid > 0)
			return w->workers[i];
	ck_abort_msg("no worker runs");
	return NULL;
}

pid_t
worker_pid(const struct worker *k)
{
	return k->pid;
}

/* --- ending -------------------------------------------------------------- */

void
worker_signal(struct worker *k, int sig)
{
	ck_assert_int_eq(kill(k->pid, sig), 0);
}

int
worker_end(struct worker *k)
{
	int status = run_wait(k->pid, END_MS);

	k->pid = 0;
	return status;
}

void
worker_stop(struct worker *k)
{
	worker_signal(k, SIGTERM);
	ck_assert_int_eq(worker_end(k), 0);
}

void
worker_kill(struct worker *k)
{
	worker_signal(k, SIGKILL);
	ck_assert_int_eq(worker_end(k), 128 + SIGKILL);
}

void
workers_stop(struct world *w)
{
	struct worker *k;
	unsigned int i;

	for (i = 0; i < w->n_workers; i++) {
		k = w->workers[i];
		if (k->pid > 0)
			worker_stop(k);
		close(k->notify_fd);
		if (!w->crashes)
			ck_assert_msg(!worker_logged(k, "Sanitizer") &&
					  !worker_logged(k, "runtime error"),
				      "a sanitizer complains");
	}
}

/* --- what it says -------------------------------------------------------- */

const char *
worker_notified(struct worker *k, const char *text)
{
	int pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
	struct pollfd fds[] = {{.fd = k->notify_fd, .events = POLLIN},
			       {.fd = pidfd, .events = POLLIN}};
	char *message = world_keep(k->world, malloc(4096));
	ssize_t n;

	ck_assert_int_ge(pidfd, 0);
	do {
		ck_assert_msg(poll(fds, 2, PATIENCE_MS) > 0,
			      "it does not say \"%s\"", text);
		n = recv(k->notify_fd, message, 4095, MSG_DONTWAIT);
		ck_assert_msg(n >= 0 || fds[1].revents == 0,
			      "it ended before it said \"%s\"", text);
		message[n > 0 ? n : 0] = '\0';
	} while (strstr(message, text) == NULL);
	close(pidfd);
	return message;
}

void
worker_forget_notified(struct worker *k)
{
	char old[4096];

	while (recv(k->notify_fd, old, sizeof(old), MSG_DONTWAIT) >= 0)
		;
}

bool
worker_notified_in_vain(struct worker *k)
{
	const struct sockaddr_un sun = notify_address(k);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool full;

	ck_assert_int_ge(fd, 0);
	full = connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	       send(fd, "", 0, 0) != 0 && errno == EAGAIN;
	close(fd);
	return full;
}

const char *
worker_log(struct worker *k)
{
	return world_read(k->world, k->log);
}

bool
worker_logged(struct worker *k, const char *text)
{
	return strstr(worker_log(k), text) != NULL;
}

/* --- processes ----------------------------------------------------------- */

/* A field of /proc/PID/stat behind the name: 0 is the state. */
static bool
read_stat(pid_t pid, char *ret_state, pid_t *ret_parent)
{
	char path[64], line[1024], *end;
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	ok = fgets(line, sizeof(line), f) != NULL &&
	     (end = strrchr(line, ')')) != NULL &&
	     sscanf(end + 2, "%c %d", ret_state, ret_parent) == 2;
	fclose(f);
	return ok;
}

bool
is_gone(pid_t pid)
{
	pid_t parent;
	char state;

	return !read_stat(pid, &state, &parent) || state == 'Z';
}

static int
compare_pids(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

size_t
children_of(pid_t pid, pid_t children[CHILDREN_MAX])
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t child, parent;
	size_t n = 0;
	char state;

	ck_assert_ptr_nonnull(proc);
	while ((entry = readdir(proc)) != NULL && n < CHILDREN_MAX) {
		child = (pid_t)strtol(entry->d_name, NULL, 10);
		if (child > 0 && read_stat(child, &state, &parent) &&
		    parent == pid)
			children[n++] = child;
	}
	closedir(proc);
	qsort(children, n, sizeof(*children), compare_pids);
	return n;
}

pid_t
worker_executor(struct worker *k)
{
	pid_t children[CHILDREN_MAX];

	/* After a reload the old one is there for a moment, too. */
	WAIT_UNTIL(children_of(k->pid, children) == 1);
	return children[0];
}

size_t
count_descriptors(pid_t pid)
{
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

long
private_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			kib = strtol(line + 8, NULL, 10);
	fclose(f);
	ck_assert_int_ge(kib, 0);
	return kib;
}
