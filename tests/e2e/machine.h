/* SPDX-License-Identifier: MIT */
/*
 * A machine of a test's own, with an /etc, a /var/lib and a /run, and users without
 * names: that of the services, and strangers.
 *
 * It needs root: each test is a process, which makes a mount namespace of its own.
 */
#ifndef TESTS_E2E_MACHINE_H
#define TESTS_E2E_MACHINE_H

#include <stdbool.h>

#include "e2e/world.h"

/* Users and groups. */
#define SERVICE "4711"
#define USER "4712"
#define OTHER_USER "4713"
/* Runs a command as a user, in the group of the services or not. */
#define AS_UID(uid, groups)                                                    \
	"HOME=$PWD/home exec setpriv --reuid=" uid " --regid=" uid " " groups  \
	" "
#define AS(groups) AS_UID(USER, groups)
#define AS_MEMBER AS("--groups=" SERVICE)
#define AS_STRANGER AS("--clear-groups")
#define AS_OTHER AS_UID(OTHER_USER, "--clear-groups")
#define AS_SERVICE                                                             \
	"HOME=/var/lib/flowrra STATE_DIRECTORY=/var/lib/flowrra exec setpriv " \
	"--reuid=" SERVICE " --regid=" SERVICE " --clear-groups "

/* Makes this process' own mounts; false: it may not. */
bool own_mounts(void);
/* A machine on which Flowrra's services have their directories; NULL where a test
 * cannot have one. */
struct world *machine_start(bool embedded);

#endif
