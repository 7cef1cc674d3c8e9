/* SPDX-License-Identifier: MIT */
/*
 * Last words: which task a thread was running when it brought the process
 * down, by a signal or by exit().
 *
 * The words are one struct ipc_last_words on the crash descriptor. After them
 * the process dies of the same signal, or with status CRASH_EXIT_STATUS.
 */
#ifndef EXECUTOR_CRASH_H
#define EXECUTOR_CRASH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Of a process that a handler ended by exit(), exit(0) included. */
#define CRASH_EXIT_STATUS 70

/* Watches this process: SEGV, BUS, ILL, FPE, ABRT, SYS, TRAP and exit(). */
void crash_init(int fd);
/* The same of exit() alone, told in words on standard error: signals are for a
 * debugger, or for what else has handlers of its own. */
void crash_init_exits(void);
/* From here on, exit() is our own. */
void crash_disarm(void);

/*
 * Gives the calling thread a stack to die on, so that it can tell of the
 * overflow of its own; to be taken back before the thread ends.
 */
struct crash_stack {
	stack_t before;
	void *memory;
};
void crash_thread_init(struct crash_stack *stack);
void crash_thread_done(struct crash_stack *stack);

/* The task whose code the calling thread enters; 0: none. */
void crash_set_task(uint32_t task);

/* The calling thread runs the loop for asynchronous handlers: what crashes there
 * without a task is a callback of one of theirs. */
void crash_set_loop(void);

/* What exit() is for a handler: last words, and the end. -1: the status is not
 * known. */
_Noreturn void crash_exited(int status);
/* Whether it is: not before crash_init(), not after crash_disarm(), and not in
 * a child that a handler forked. */
bool crash_armed(void);

/* Ends the process at once, without last words. */
_Noreturn void crash_quit(int status);

#endif
