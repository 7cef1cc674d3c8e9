/* SPDX-License-Identifier: MIT */
/* Doors: sockets with names, beside the wake sockets. */
#include "sqlite/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/err.h"

/* Programs that end soon come in at the same time, more of them than have
 * processors: who finds no place helps himself. */
#define BACKLOG 64

/* A socket's address has room for 107 bytes only (unix(7)): by way of the open
 * directory's descriptor, names fit in however deep the directory lies. */
void
door_address(int dir_fd, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
		 dir_fd, name);
}

bool
door_is_there(const char *database, const char *name)
{
	char *path = NULL;
	bool there;

	if (asprintf(&path, "%s-wake/%s", database, name) < 0)
		return false;
	there = access(path, W_OK) == 0;
	free(path);
	return there;
}

/* Who is at the other end: others than our user could lead us astray, or hear
 * what they should not. */
static bool
door_is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static int
door_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		      0);
}

/* -1 with errno. */
static int
door_bind(int fd, int dir_fd, const char *name)
{
	struct sockaddr_un address;

	door_address(dir_fd, name, &address);
	return bind(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* Whether a process listens; a socket that was left behind refuses. */
static bool
door_is_open(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	const int fd = door_socket();
	bool open;

	if (fd < 0)
		return true; /* in doubt it does */
	door_address(dir_fd, name, &address);
	open = connect(fd, (const struct sockaddr *)&address,
		       sizeof(address)) == 0 ||
	       errno != ECONNREFUSED;
	close(fd);
	return open;
}

/* Processes of ours leave sockets; anything else stays. */
void
door_remove(int dir_fd, const char *name)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		unlinkat(dir_fd, name, 0);
}

int
door_open(int dir_fd, const char *name, struct err *err)
{
	const int fd = door_socket();
	int bound;

	if (fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a socket");
	if ((bound = door_bind(fd, dir_fd, name)) != 0 && errno == EADDRINUSE) {
		if (door_is_open(dir_fd, name)) {
			close(fd);
			return -2;
		}
		door_remove(dir_fd, name);
		bound = door_bind(fd, dir_fd, name);
	}
	if (bound == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err_sys(err, ERR_UNAVAILABLE, "cannot make the socket %s", name);
	close(fd);
	return -1;
}

int
door_admit(int fd)
{
	const int in = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (in >= 0 && !door_is_ours(in)) {
		close(in);
		errno = EPERM;
		return -1;
	}
	return in;
}

int
door_enter(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	const int fd = door_socket();

	if (fd < 0)
		return -1;
	door_address(dir_fd, name, &address);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ==
		0 &&
	    door_is_ours(fd))
		return fd;
	close(fd);
	return -1;
}
