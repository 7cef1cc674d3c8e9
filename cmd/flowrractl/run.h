/* SPDX-License-Identifier: MIT */
/* What the files of the verb run share. */
#ifndef FLOWRRACTL_RUN_H
#define FLOWRRACTL_RUN_H

struct ctl;
struct err;

/*
 * Sees to it that a worker runs the commands of this store: if none is there, or
 * it is about to leave, starts one, which ends when it has had nothing to do for
 * ten minutes. Returns once it is there; -1 with *err (ERR_UNAVAILABLE) if it does
 * not come up. ctl->conf is loaded.
 */
int run_ensure_worker(struct ctl *ctl, struct err *err);

#endif
