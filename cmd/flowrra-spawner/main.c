/* SPDX-License-Identifier: MIT */
/*
 * flowrra-spawner: starts the commands of shell tasks. All of the work is
 * lib/spawn; this file only checks how the program was started.
 *
 * It is a program of its own so that it outlives an executor that dies, and
 * kills what that has started.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "spawn/server.h"
#include "spawn/spawn.h"

static const char usage[] =
    "usage: flowrra-spawner [--help] [--version]\n"
    "\n"
    "Starts the commands of tasks that the configuration declares, and sees "
    "to\n"
    "it that none outlives its executor. flowrra-executor starts it, with a\n"
    "socket as descriptor 3; it is not meant to be started by hand.\n"
    "See flowrra-spawner(8).\n";

/* The executor leaves a SOCK_SEQPACKET socket as SPAWN_FD. Anything else there
 * means that a person has started the program: to read orders from a terminal
 * or a pipe would only hang. */
static int
is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_SEQPACKET;
}

int
main(int argc, char **argv)
{
	/* The exit statuses are those of sysexits.h, as in all programs: 64 for
	 * usage, 71 for the system. */
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("flowrra-spawner " FLOWRRA_VERSION);
		return 0;
	}
	if (argc > 1) {
		fputs(usage, stderr);
		return 64;
	}
	if (!is_socket(SPAWN_FD)) {
		fputs("flowrra-spawner: descriptor 3 is not a socket: "
		      "flowrra-executor has not started me\n\n",
		      stderr);
		fputs(usage, stderr);
		return 64;
	}
	if (server_run(SPAWN_FD) != 0) {
		perror("flowrra-spawner");
		return 71;
	}
	return 0;
}
