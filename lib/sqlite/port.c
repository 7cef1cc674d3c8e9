/* SPDX-License-Identifier: MIT */
/* Datagram sockets beside the database. */
#include "sqlite/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/err.h"

/* Names that fit into a socket's address however deep the directory lies. */
static void
address_of(const struct port *port, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s",
		 port->dir_fd, name);
}

/* Root works on the files of a service: they stay the service's. */
static void
give_to_owner(int dir_fd, const char *name, const struct stat *of)
{
	if (geteuid() == 0 && of->st_uid != 0 &&
	    fchownat(dir_fd, name, of->st_uid, of->st_gid,
		     AT_SYMLINK_NOFOLLOW) != 0)
		return; /* then they cannot wake us; a file system for root */
}

int
port_open_dir(struct port *port, const char *database, struct err *err)
{
	struct stat owner;
	char *path = NULL;
	int result = -1;

	if (port->dir_fd >= 0)
		return 0;
	if (asprintf(&path, "%s-wake", database) < 0)
		return err_nomem(err);
	if (mkdir(path, 0700) == 0) {
		if (stat(database, &owner) == 0)
			give_to_owner(AT_FDCWD, path, &owner);
	} else if (errno != EEXIST) {
		err_sys(err, ERR_UNAVAILABLE, "cannot create %s", path);
		goto out;
	}
	port->dir_fd =
	    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (port->dir_fd < 0) {
		err_sys(err, ERR_UNAVAILABLE, "cannot open %s", path);
		goto out;
	}
	result = 0;
out:
	free(path);
	return result;
}

int
port_make(struct port *port, struct err *err)
{
	struct sockaddr_un address;
	struct stat owner;
	uint64_t number;
	int fd;

	if (port->fd >= 0)
		return 0;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return err_sys(err, ERR_SYSTEM, "cannot get random numbers");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, ERR_SYSTEM, "cannot make a socket");
	snprintf(port->name, sizeof(port->name), "%016llx",
		 (unsigned long long)number);
	address_of(port, port->name, &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err_sys(err, ERR_UNAVAILABLE,
			"cannot make a socket beside the database (%s)",
			address.sun_path);
		close(fd);
		return -1;
	}
	if (fstat(port->dir_fd, &owner) == 0)
		give_to_owner(port->dir_fd, port->name, &owner);
	port->fd = fd;
	return 0;
}

void
port_drain(struct port *port)
{
	char scrap[8];

	while (recv(port->fd, scrap, sizeof(scrap), 0) >= 0)
		;
}

int
port_wake(struct port *port, const char *name)
{
	struct sockaddr_un address;
	int fd = port->fd, result = 0;

	if (port->dir_fd < 0)
		return -1;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			    0);
	if (fd < 0)
		return 0;
	address_of(port, name, &address);
	if (sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&address,
		   sizeof(address)) < 0) {
		if (errno == ECONNREFUSED)
			unlinkat(port->dir_fd, name, 0);
		result = errno == ECONNREFUSED || errno == ENOENT ? -1 : 0;
	}
	if (fd != port->fd)
		close(fd);
	return result;
}

void
port_sweep(struct port *port)
{
	/* A descriptor of its own, since reading moves it. */
	int fd = openat(port->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strlen(entry->d_name) == PORT_NAME_LEN &&
		    strspn(entry->d_name, "0123456789abcdef") ==
			PORT_NAME_LEN &&
		    strcmp(entry->d_name, port->name) != 0)
			port_wake(port, entry->d_name);
	closedir(dir);
}

void
port_done(struct port *port)
{
	if (port->fd >= 0) {
		unlinkat(port->dir_fd, port->name, 0);
		close(port->fd);
	}
	if (port->dir_fd >= 0)
		close(port->dir_fd);
	*port = (struct port)PORT_INIT;
}
