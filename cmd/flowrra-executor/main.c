/* SPDX-License-Identifier: MIT */
/* flowrra-executor: wires descriptors, signals and memory; the rest is
 * lib/executor. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "executor/crash.h"
#include "executor/executor.h"
#include "ipc/ipc.h"
#include "run.h"
#include "util/err.h"
#include "util/log.h"

static const char usage[] =
    "usage: flowrra-executor --run MODULE TASK [OPTION...] [ARGS]\n"
    "       flowrra-executor --list MODULE...\n"
    "       flowrra-executor --check MODULE...\n"
    "       flowrra-executor --help | --version\n"
    "\n"
    "Runs the task handlers of Flowrra's modules. flowrrad starts it without\n"
    "arguments, with a socket as descriptor 3. For those who write modules:\n"
    "--run loads a module and runs one of its tasks in the foreground, with\n"
    "no worker and no store. ARGS is a JSON array. The result goes to "
    "standard\n"
    "output; log, progress and submitted tasks to standard error.\n"
    "--list prints the tasks of modules.\n"
    "--check loads modules, without calling their init(), and says what is\n"
    "wrong with them.\n"
    "\n";

static const char more_usage[] =
    "\n"
    "Exit status of --run: 0 success, 1 the task failed, 2 the module has no\n"
    "such task, 64 usage, 65 ARGS are not JSON, 70 the handler called exit(),\n"
    "78 the module is refused.\n"
    "See flowrra-executor(8).\n";

static void
print_usage(FILE *out)
{
	fputs(usage, out);
	fputs(run_usage, out);
	fputs(more_usage, out);
}

/* Returns -1 to go on, or the status to end with. Nothing here calls exit(),
 * which is not the C library's (exits.c). */
static int
read_arguments(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "--check") == 0)
		return check_modules(argc - 2, argv + 2);
	if (argc >= 2 && strcmp(argv[1], "--run") == 0)
		return run_task(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "--list") == 0)
		return list_tasks(argc - 2, argv + 2);
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("flowrra-executor " FLOWRRA_VERSION);
		return 0;
	}
	if (argc == 1 && executor_is_socket(IPC_FD))
		return -1;
	if (argc == 1)
		fputs("flowrra-executor: descriptor 3 is not a socket: "
		      "flowrrad has not started me\n\n",
		      stderr);
	print_usage(stderr);
	return 64;
}

static void
ignore(int sig)
{
}

/* A terminal's Ctrl-C goes to the whole process group; flowrrad decides what
 * becomes of us. Caught rather than ignored, for what is ignored would be so in
 * programs that handlers start, too. */
static void
set_signals(void)
{
	struct sigaction sa = {.sa_handler = ignore, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGPIPE, &sa, NULL);
}

int
main(int argc, char **argv)
{
	static struct crash_stack stack;
	struct err err = ERR_INIT;
	int status = read_arguments(argc, argv);

	if (status != -1)
		return status;
	log_init("flowrra-executor");
	/* What handlers print is a log: a crash must not swallow lines. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	/* A few threads share one heap well; each further one costs memory. */
	mallopt(M_ARENA_MAX, 2);
	fcntl(IPC_FD, F_SETFD, FD_CLOEXEC);
	fcntl(IPC_CRASH_FD, F_SETFD, FD_CLOEXEC);
	set_signals();
	crash_init(IPC_CRASH_FD);
	crash_thread_init(&stack);
	json_object_seed(0);
	if (executor_run(IPC_FD, NULL, &err) != 0) {
		/* flowrrad tries again, and says so once for all tries. */
		if (err.sys == EAGAIN)
			crash_quit(IPC_EXIT_SHORT);
		log_line(err.code == ERR_UNAVAILABLE ? LOG_LEVEL_debug
						     : LOG_LEVEL_error,
			 "%s", err.msg);
		crash_quit(err_exit_status(err.code));
	}
	crash_thread_done(&stack);
	crash_disarm();
	return 0;
}
