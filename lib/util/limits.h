/* SPDX-License-Identifier: MIT */
/*
 * Limits of the process and of the machine: what to do when one is reached.
 *
 * Descriptors, processes and memory run short for a while. What cannot be begun
 * for want of them is to wait until something ends, and people are to hear, now
 * and then, which limit to raise. Whether a failure is of that kind is decided
 * here, and nowhere else.
 */
#ifndef UTIL_LIMITS_H
#define UTIL_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest text of limits_explain(), with its NUL. */
#define LIMITS_TEXT_MAX 256

/* Whether an errno means that descriptors, processes or memory are short: the
 * same call may succeed later. EAGAIN must come from a call that begins a
 * process or a thread; elsewhere it means another thing. */
bool limits_is_short(int sys);

/* The limit behind such an errno, as far as it can be told, with the number in
 * force and where it is set: "the limit on open files is 64; raise LimitNOFILE=
 * of the unit, or ulimit -n". */
void limits_explain(int sys, char ret[LIMITS_TEXT_MAX]);

/* That a thread could not be started, whose pthread_create() has returned
 * `sys`: sets *err (ERR_SYSTEM), with the limit where it is one. Returns -1. */
struct err;
int limits_no_thread(int sys, struct err *err);

/* Whether a warning about this errno is due: a minute after the last one about
 * the same limit. Any thread may ask. */
bool limits_warning_due(int sys);

/*
 * Lets this process have as many open files as its hard limit allows, and
 * remembers how many it was to have; once. The soft limit is often 1024, for
 * the sake of programs that use select(), so it is given back to programs that
 * are started (proc_spawn()).
 */
void limits_raise_files(void);
/* Gives a child the limit back that this process was started with.
 * Async-signal-safe. */
void limits_restore_files(void);
/*
 * Whether `n` more files can be opened: 0, or -1 with *err (ERR_SYSTEM) that
 * names the limit. For what ends the whole process when it gets none, as
 * event_base_new() does. `n` is at most LIMITS_CHECK_MAX.
 */
#define LIMITS_CHECK_MAX 16
int limits_check_files(unsigned int n, struct err *err);
/* How many files this process may have open. */
uint64_t limits_files(void);

#endif
