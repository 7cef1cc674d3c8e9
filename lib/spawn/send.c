/* SPDX-License-Identifier: MIT */
/*
 * What goes to the spawner: orders, and descriptors with them. Nothing here
 * waits: a daemon's loop calls it.
 */
#include "spawn/send.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/buf.h"

int
send_memory_file(const struct buf *content)
{
	int fd = memfd_create("flowrra", MFD_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	/* A file in memory takes it all, unless memory runs out. */
	while (fd != -1 && done < content->len) {
		/* At an offset: the file's own stays at the beginning. */
		n = pwrite(fd, content->data + done, content->len - done,
			   (off_t)done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	return fd;
}

int
send_request(int fd, const struct spawn_request *r, const int *fds, size_t n)
{
	union {
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)r, sizeof(*r)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fds != NULL) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	/* The kernel holds copies of the descriptors until they are received:
	 * the caller may close its own at once. */
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -1 : 0;
}
