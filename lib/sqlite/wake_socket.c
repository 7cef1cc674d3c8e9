/* SPDX-License-Identifier: MIT */
/*
 * Datagram sockets beside the database. Sending never blocks and never fails in
 * a way that its caller has to treat: a wake-up that did not arrive was either
 * not needed (a full buffer) or has nobody to receive it.
 */
#include "sqlite/wake_socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sqlite/door.h"
#include "util/err.h"
#include "util/path.h"

/* Who may write to the directory may put links into it, by which a datagram or
 * a removal would reach other files. */
static int
wake_socket_check_dir(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, ERR_UNAVAILABLE, "cannot inspect %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(err, ERR_REFUSED,
			       "%s belongs to user %u, but this process runs "
			       "as user %u; remove it",
			       path, (unsigned int)st.st_uid,
			       (unsigned int)geteuid());
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(err, ERR_REFUSED,
			       "%s is writable by others than its owner (run "
			       "chmod go-w on it)",
			       path);
	return 0;
}

/* mkdir() first, whether it is there or not: processes that start together
 * cannot get between a look and a making. */
int
wake_socket_open_dir(struct wake_socket *ws, const char *database,
		     struct err *err)
{
	char *path = NULL;
	int result = -1;

	if (ws->dir_fd >= 0)
		return 0;
	if (asprintf(&path, "%s-wake", database) < 0)
		return err_nomem(err);
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		err_sys(err, ERR_UNAVAILABLE, "cannot create %s", path);
		goto out;
	}
	ws->dir_fd =
	    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ws->dir_fd < 0) {
		err_sys(err, ERR_UNAVAILABLE, "cannot open %s", path);
		goto out;
	}
	if (wake_socket_check_dir(ws->dir_fd, path, err) != 0) {
		close(ws->dir_fd);
		ws->dir_fd = -1;
		goto out;
	}
	result = 0;
out:
	free(path);
	return result;
}

/* The kernel has seen the descriptor; people want to see the directory. */
static void
wake_socket_failed(const struct wake_socket *ws, struct err *err)
{
	const int sys = errno;
	char link[32], socket[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", ws->dir_fd);
	n = readlink(link, socket, sizeof(socket) - sizeof(ws->name) - 1);
	snprintf(socket + (n > 0 ? n : 0),
		 sizeof(socket) - (size_t)(n > 0 ? n : 0), "/%s", ws->name);
	errno = sys;
	err_sys(err, ERR_UNAVAILABLE, "cannot make the socket %s", socket);
	path_hint(socket, "another path in the database's URL", err);
}

/* Nonblocking: it is read until it is empty. */
int
wake_socket_make(struct wake_socket *ws, struct err *err)
{
	struct sockaddr_un address;
	uint64_t number;
	int fd;

	if (ws->fd >= 0)
		return 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, ERR_SYSTEM, "cannot get random numbers");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a socket");
	snprintf(ws->name, sizeof(ws->name), "%016llx",
		 (unsigned long long)number);
	door_address(ws->dir_fd, ws->name, &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		wake_socket_failed(ws, err);
		close(fd);
		return -1;
	}
	ws->fd = fd;
	return 0;
}

/* All at once, so that a hundred wake-ups are one look. */
void
wake_socket_drain(struct wake_socket *ws)
{
	char scrap[8];

	while (recv(ws->fd, scrap, sizeof(scrap), 0) >= 0)
		;
}

bool
wake_socket_is_name(struct slice name)
{
	size_t i;

	if (name.len != WAKE_SOCKET_NAME_LEN)
		return false;
	for (i = 0; i < name.len; i++)
		if (!(name.p[i] >= '0' && name.p[i] <= '9') &&
		    !(name.p[i] >= 'a' && name.p[i] <= 'f'))
			return false;
	return true;
}

/* The name may come from the database: it is looked at again here, where it
 * becomes a path. */
int
wake_socket_wake(struct wake_socket *ws, const char *name)
{
	struct sockaddr_un address;
	int fd = ws->fd, result = 0;

	if (ws->dir_fd < 0 || !wake_socket_is_name(slice_of(name)))
		return -1;
	/* One that only wakes others has no socket of its own. */
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    0);
	if (fd < 0)
		return 0;
	door_address(ws->dir_fd, name, &address);
	if (sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof(address)) < 0) {
		/* Nobody has it open: its process was killed. EAGAIN, a full
		 * buffer, is as good as sent. */
		if (errno == ECONNREFUSED)
			door_remove(ws->dir_fd, name);
		result = errno == ECONNREFUSED || errno == ENOENT ? -1 : 0;
	}
	if (fd != ws->fd)
		close(fd);
	return result;
}

void
wake_socket_sweep(struct wake_socket *ws)
{
	/* A descriptor of its own, since reading moves it. */
	int fd = openat(ws->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	/* To wake a socket is to learn whether its process lives. The locks of
	 * workers lie here, too: their names differ. */
	while ((entry = readdir(dir)) != NULL)
		if (wake_socket_is_name(slice_of(entry->d_name)) &&
		    strcmp(entry->d_name, ws->name) != 0)
			wake_socket_wake(ws, entry->d_name);
	closedir(dir);
}

/* Its name goes with it; one that was killed leaves it to wake_socket_sweep(). */
void
wake_socket_done(struct wake_socket *ws)
{
	if (ws->fd >= 0) {
		unlinkat(ws->dir_fd, ws->name, 0);
		close(ws->fd);
	}
	if (ws->dir_fd >= 0)
		close(ws->dir_fd);
	*ws = (struct wake_socket)WAKE_SOCKET_INIT;
}
