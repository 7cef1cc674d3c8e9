/* SPDX-License-Identifier: MIT */
/* Last words: which task a thread was running when it brought us down. */
#include "executor/crash.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/ipc.h"

/* A signal frame is 11 KiB where there are AMX registers; no page of this is
 * touched before it is needed. */
#define STACK_SIZE (32u << 10)

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE,
			      SIGABRT, SIGSYS, SIGTRAP};

/* Static and set up before any thread is: a signal handler can count on it. */
static struct {
	int fd;
	pid_t pid; /* a child that a handler forks is none of our business */
	atomic_bool armed;
	atomic_flag said;
} crash = {.fd = -1, .said = ATOMIC_FLAG_INIT};

/* Of this thread: several handlers run at once, and the signal is delivered to
 * the thread that has caused it. */
static _Thread_local volatile uint32_t current_task;
static _Thread_local volatile bool is_loop;

void
crash_set_task(uint32_t task)
{
	current_task = task;
}

void
crash_set_loop(void)
{
	is_loop = true;
}

void
crash_quit(int status)
{
	/* Not _exit(), which the program may have replaced. */
	for (;;)
		syscall(SYS_exit_group, status);
}

bool
crash_armed(void)
{
	return atomic_load(&crash.armed) && getpid() == crash.pid;
}

/* To a person, where there is no flowrrad. */
static void
say_text(void)
{
	static const char text[] =
	    "flowrra: a handler has called exit(), pthread_exit() or the like; "
	    "to a worker that is a crash\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return; /* it is for whom can read it */
}

/* Async-signal-safe. Threads that crash after the first one wait for the end,
 * so that the words and the exit status are of the same one. */
static void
say(int sig, int status)
{
	struct ipc_last_words words = {.task = current_task,
				       .signal = sig,
				       .status = status,
				       .thread = is_loop ? IPC_THREAD_LOOP
							 : IPC_THREAD_ANY};
	ssize_t n;

	while (atomic_flag_test_and_set(&crash.said))
		pause();
	if (crash.fd < 0) {
		say_text();
		return;
	}
	do
		n = write(crash.fd, &words, sizeof(words));
	while (n == -1 && errno == EINTR);
}

static void
crash_on_signal(int sig)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};

	if (crash_armed())
		say(sig, -1);
	sigaction(sig, &sa, NULL);
	/* Pending until this handler returns; a fault may strike again first,
	 * to the same end. */
	raise(sig);
}

/* A handler has called exit(): to flowrrad that is a crash of its task. What it
 * called it with is not known here. */
static void
on_exit_called(void)
{
	if (crash_armed())
		crash_exited(-1);
}

void
crash_exited(int status)
{
	say(0, status);
	crash_quit(CRASH_EXIT_STATUS);
}

void
crash_init_exits(void)
{
	crash.pid = getpid();
	atomic_store(&crash.armed, true);
	atexit(on_exit_called);
}

void
crash_init(int fd)
{
	struct sigaction sa = {.sa_handler = crash_on_signal,
			       .sa_flags = SA_ONSTACK};
	size_t i;

	crash.fd = fd;
	crash_init_exits();
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

void
crash_disarm(void)
{
	atomic_store(&crash.armed, false);
}

void
crash_thread_init(struct crash_stack *stack)
{
	stack_t mine = {.ss_size = STACK_SIZE};

	/* Without memory, all but a stack overflow is still told. */
	if ((mine.ss_sp = stack->memory = malloc(STACK_SIZE)) != NULL)
		sigaltstack(&mine, &stack->before);
}

void
crash_thread_done(struct crash_stack *stack)
{
	/* What was there before may be a sanitizer's, which wants it back. */
	if (stack->memory != NULL)
		sigaltstack(&stack->before, NULL);
	free(stack->memory);
}
