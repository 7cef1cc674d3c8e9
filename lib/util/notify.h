/* SPDX-License-Identifier: MIT */
/*
 * Messages to the service manager, in the protocol of sd_notify(3): a datagram
 * of "NAME=value" lines to the socket that $NOTIFY_SOCKET names.
 *
 * Unlike sd_notify(3) nothing here ever waits: a manager that reads nothing
 * cannot stop a daemon.
 */
#ifndef UTIL_NOTIFY_H
#define UTIL_NOTIFY_H

#include <stdbool.h>

/* Whether there is somebody to tell. */
bool notify_wanted(void);

/*
 * Sends a message. Returns 0, also when there is nobody to tell, or -1 when it
 * could not be sent now: the socket is full, or not there.
 */
int notify_send(const char *message);

#endif
