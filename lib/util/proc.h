/* SPDX-License-Identifier: MIT */
/*
 * Starting other programs, and how this one was started: its standard
 * descriptors, and where it is installed.
 */
#ifndef UTIL_PROC_H
#define UTIL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Three times what any caller passes; the child has copies on its stack. */
#define PROC_FDS_MAX 16

struct proc_options {
	const char *path;	 /* of the program; $PATH is not searched */
	const char *const *argv; /* NULL-ended, argv[0] included */
	const char *const *envp; /* NULL-ended; NULL: this process' own */
	/* The child's descriptor n is the parent's fds[n]; -1 is /dev/null. The
	 * child has no other descriptor than these. */
	const int *fds;
	size_t n_fds;	      /* at most PROC_FDS_MAX */
	bool new_group;	      /* lead a process group of its own */
	bool new_session;     /* lead a session of its own, with no terminal */
	bool die_with_parent; /* SIGKILL when the calling thread ends */
};

/*
 * Starts a program, with all signals unblocked and at their defaults, and with
 * the limit on open files that this process found (util/limits.h). Returns
 * once the program runs, or -1 when it could not be started, a missing file
 * included (ERR_SYSTEM, names the program). The caller reaps *ret_pid.
 */
int proc_spawn(const struct proc_options *o, pid_t *ret_pid, struct err *err);

/*
 * Gives descriptors 0, 1 and 2, where they are closed, to something that can
 * neither be read nor written, so that no file or socket that is opened later
 * takes the place of standard input or output. To be called first in main().
 */
void proc_hold_standard_fds(void);

/*
 * Unblocks all signals and gives them their default actions: a parent may have
 * left SIGCHLD ignored (then the kernel reaps children unseen) or SIGTERM
 * blocked, and both outlive execve(). Async-signal-safe.
 */
void proc_reset_signals(void);

/*
 * Keeps the memory of this process from others of its user: it leaves no core
 * file, and they cannot trace it or read its /proc/PID/mem. Programs that it
 * starts inherit the limit on core files (0), not the rest.
 */
void proc_forbid_dumps(void);
/* The same but for the limit: programs that it starts may leave core files. */
void proc_forbid_tracing(void);

/* Bytes of memory that a process has resident; 0 if that cannot be told. */
int64_t proc_resident(pid_t pid);

/*
 * A descriptor that becomes readable when a child has ended, reaped or not; the
 * caller closes it. -1 with *err. The second is how the first does it where there
 * are no pidfds.
 */
int proc_watch(pid_t pid, struct err *err);
int proc_watch_by_thread(pid_t pid, struct err *err);

/*
 * The absolute path of a file that is found relative to the directory of the
 * running program: "../lib/flowrra/demo.so". It need not exist. free() it;
 * NULL with *err on failure. Right even after the program's own file was
 * replaced by an upgrade.
 */
char *proc_beside(const char *relative, struct err *err);

#endif
