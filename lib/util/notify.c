/* SPDX-License-Identifier: MIT */
/*
 * Messages to the service manager: datagrams to the socket that it names in
 * $NOTIFY_SOCKET, as sd_notify(3) describes them. Without that variable nobody
 * listens, and all of this does nothing.
 */
#include "util/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The path of a socket, or "@" and a name in the abstract space. Other
 * families are for virtual machines. */
static int
parse_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_len)
{
	const size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 ||
	    len >= sizeof(ret->sun_path))
		return -1;
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, text, len);
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (text[0] == '@')
		ret->sun_path[0] = '\0';
	else
		(*ret_len)++;
	return 0;
}

/* Saves the work of gathering a status that nobody would read. */
bool
notify_wanted(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t len;

	return name != NULL && parse_address(name, &address, &len) == 0;
}

/* A socket for each message: they are few, and a descriptor that is kept would
 * be one more to look after. */
int
notify_send(const char *message)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t len;
	ssize_t n;
	int fd;

	if (name == NULL || parse_address(name, &address, &len) != 0)
		return 0;
	/* A manager that does not read must not stop the event loop; the caller
	 * sends the message again later. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	do
		n = sendto(fd, message, strlen(message), MSG_NOSIGNAL,
			   (struct sockaddr *)&address, len);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n < 0 ? -1 : 0;
}
