/* SPDX-License-Identifier: MIT */
/* Giving up root's rights, for good. */
#ifndef UTIL_BECOME_H
#define UTIL_BECOME_H

#include <sys/types.h>

struct err;

/*
 * From root to another user, with the groups that the account has, in all three
 * user ids: there is no way back. One without an account gets the group of the
 * same number. What root has read stays private: no other process of the user
 * may trace this one, and no core file is written. 0, or -1 with *err; then the
 * program must end, since it may be half of each.
 */
int become_user(uid_t uid, struct err *err);

#endif
