/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-Z, and what must not be held while it stops this process: a lock that
 * other processes wait for, as the writers' lock of the embedded database.
 *
 * SIGSTOP and a cgroup's freezer cannot be put off.
 */
#ifndef UTIL_SUSPEND_H
#define UTIL_SUSPEND_H

/*
 * From now on, SIGTSTP stops this process when nothing is held: at once most of
 * the time, or with the last suspend_release(). To be called once, by main(); the
 * library leaves the signals of its users' programs alone. Nothing changes where
 * the parent has the signal ignored.
 */
void suspend_defer(void);

/* Any thread; not nested within one: it waits while a stop is under way. */
void suspend_hold(void);
void suspend_release(void);

#endif
