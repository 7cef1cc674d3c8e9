/* SPDX-License-Identifier: MIT */
/*
 * flowrra/module.h: how to write task handlers for Flowrra in C.
 *
 * A module is a shared object that exports one function, flowrra_module(),
 * which returns a description of the module's tasks. flowrrad(8) starts
 * executors. They load the modules that `[worker] modules` of flowrra.conf(5)
 * names, and run the handlers. A module with one task, in sums.c:
 *
 *	#include <flowrra/module.h>
 *
 *	static int
 *	add(struct flowrra_task *task, const json_t *args,
 *	    const json_t *kwargs, json_t **result)
 *	{
 *		json_int_t a, b;
 *
 *		if (json_object_size(kwargs) != 0 ||
 *		    json_unpack((json_t *)args, "[II!]", &a, &b) != 0)
 *			return flowrra_fail_final(task, "add wants 2 integers");
 *		*result = json_integer(a + b);
 *		return 0;
 *	}
 *
 *	static const struct flowrra_task_type tasks[] = {
 *		FLOWRRA_TASK("add", add, "Adds two numbers"),
 *	};
 *	FLOWRRA_MODULE("sums", "1.0", tasks)
 *
 * Build it with
 *
 *	cc -shared -fPIC $(pkg-config --cflags flowrra jansson) \
 *	    sums.c -o sums.so
 *
 * The executor itself has the functions that are declared below: no library is
 * linked for them.
 *
 * Blocking handlers run in threads, several at the same time, unless
 * `cpu_bound` is set: then each one runs alone in a process of its own.
 * Asynchronous handlers share one thread and its event loop. A handler that
 * crashes costs only its own task an attempt. exit(), _exit() and
 * pthread_exit() count as crashes.
 *
 * Text is UTF-8 and ends in a NUL. Durations are in seconds.
 */
#ifndef FLOWRRA_MODULE_H
#define FLOWRRA_MODULE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The version of this interface. An executor refuses a module that was built
 * for another major version. A new minor version adds members at the end of
 * structures: `task_size` and `abi_minor` of struct flowrra_module tell the
 * executor which of them a module has.
 */
#define FLOWRRA_MODULE_ABI_MAJOR 1
#define FLOWRRA_MODULE_ABI_MINOR 6

/* The longest `params`, in bytes. */
#define FLOWRRA_PARAMS_MAX 16384

/* Room for a task's id: 200 characters and a NUL. The ids that Flowrra makes
 * are UUIDs of 36 characters, of version 7: they begin with the time of their
 * making, which anybody can read in them. */
#define FLOWRRA_ID_SIZE 201

/* A member of an initialiser: by its name where the language has that (C, and
 * C++ since C++20), elsewhere by its place. */
#if !defined(__cplusplus) || defined(__cpp_designated_initializers)
#define FLOWRRA_MEMBER_(name, value) .name = value
#else
#define FLOWRRA_MEMBER_(name, value) value
#endif

/* What a member has that a later version added, where g++ would else warn that
 * an older initialiser leaves it out. */
#if defined(__cplusplus) && __cplusplus >= 201402L
#define FLOWRRA_ADDED_(value) = value
#else
#define FLOWRRA_ADDED_(value)
#endif

struct event_base;   /* libevent's */
struct flowrra_task; /* one attempt to run a task; the executor owns it */

/* --- handlers ------------------------------------------------------------ */

/*
 * A blocking handler. `args` is a JSON array and `kwargs` a JSON object. Both
 * are borrowed until the handler returns, and must not be changed.
 *
 * Returns 0 for success; *result is then a new reference, which the executor
 * takes over, or NULL, as it was before the call, for the result null. After
 * flowrra_fail() or flowrra_fail_final(), returns what that function returned.
 * Any other value fails the attempt with a text that gives the number.
 */
typedef int flowrra_run_fn(struct flowrra_task *task, const json_t *args,
			   const json_t *kwargs, json_t **result);

/*
 * An asynchronous handler. It starts the work on `base`, the event loop of the
 * executor, and returns at once. Later, in any callback of that loop or within
 * this call, exactly one call of flowrra_finish(), flowrra_fail() or
 * flowrra_fail_final() ends the task. `task`, `args` and `kwargs` are borrowed
 * until then, and freed by that call.
 *
 * Ending a task twice, or from another thread, aborts the executor. A callback
 * that blocks holds up all other asynchronous tasks.
 */
typedef void flowrra_start_fn(struct flowrra_task *task,
			      struct event_base *base, const json_t *args,
			      const json_t *kwargs);

/*
 * Called on the event loop, at most once, when the task is cancelled or past
 * its timeout. The handler should end the task soon, in this call or later.
 */
typedef void flowrra_cancel_fn(struct flowrra_task *task);

/* --- what a module describes --------------------------------------------- */

/*
 * One task. FLOWRRA_TASK() has all that a blocking handler without further
 * wishes needs, and FLOWRRA_TASK_ASYNC() the same for an asynchronous one. With
 * wishes, an initialiser in C sets the name and one handler, and ends with
 * FLOWRRA_TASK_DEFAULTS, which sets the members whose default is not zero; C++
 * starts from FLOWRRA_TASK_TYPE_INIT. The strings must stay valid until the
 * process ends.
 */
struct flowrra_task_type {
	const char *name;	   /* [A-Za-z0-9_.-], 1 to 200 characters */
	const char *description;   /* one line, or NULL */
	const char *queue;	   /* NULL: "cpu" if cpu_bound, else "io" */
	flowrra_run_fn *run;	   /* a blocking handler … */
	flowrra_start_fn *start;   /* … or an asynchronous one */
	flowrra_cancel_fn *cancel; /* belongs to `start`; may be NULL */
	bool cpu_bound;		/* keeps a processor busy; not with `start` */
	int max_retries;	/* up to 1000000; -1: as configured */
	double retry_delay;	/* before a retry; < 0: as configured */
	double retry_backoff;	/* factor from one delay to the next, 1 to
				      1000; 1: constant */
	double retry_delay_max; /* limit of the delay; 0: none */
	double retry_jitter;	/* random part of the delay, 0 to 1 */
	double timeout;		/* of one attempt; 0: none */

	/* Since 1.3. flowrractl(1) takes each word of a command line as a
	 * string, even if it is JSON. */
	bool text_arguments FLOWRRA_ADDED_(false);

	/*
	 * Since 1.4. What the task takes, for forms that submit it; or NULL. A
	 * JSON Schema, as text of at most FLOWRRA_PARAMS_MAX bytes: an object
	 * whose "properties" are the keyword arguments, and, with a number as
	 * the name ("0", "1", …), the positional ones. What is submitted is
	 * not checked against it: the handler does that.
	 */
	const char *params FLOWRRA_ADDED_(NULL);
};

/* The members of a description, in their order. */
#define FLOWRRA_TASK_(task_name, text, run_, start_, cancel_)                  \
	{                                                                      \
		FLOWRRA_MEMBER_(name, task_name),                              \
		    FLOWRRA_MEMBER_(description, text),                        \
		    FLOWRRA_MEMBER_(queue, NULL), FLOWRRA_MEMBER_(run, run_),  \
		    FLOWRRA_MEMBER_(start, start_),                            \
		    FLOWRRA_MEMBER_(cancel, cancel_),                          \
		    FLOWRRA_MEMBER_(cpu_bound, false),                         \
		    FLOWRRA_MEMBER_(max_retries, -1),                          \
		    FLOWRRA_MEMBER_(retry_delay, -1.0),                        \
		    FLOWRRA_MEMBER_(retry_backoff, 1.0),                       \
		    FLOWRRA_MEMBER_(retry_delay_max, 0),                       \
		    FLOWRRA_MEMBER_(retry_jitter, 0),                          \
		    FLOWRRA_MEMBER_(timeout, 0),                               \
		    FLOWRRA_MEMBER_(text_arguments, false),                    \
		    FLOWRRA_MEMBER_(params, NULL)                              \
	}

/* A blocking handler with all defaults, in any language. */
#define FLOWRRA_TASK(name, run, description)                                   \
	FLOWRRA_TASK_(name, description, run, NULL, NULL)

/* An asynchronous one; `cancel` may be NULL. */
#define FLOWRRA_TASK_ASYNC(name, start, cancel, description)                   \
	FLOWRRA_TASK_(name, description, NULL, start, cancel)

/* All defaults: the name and the handler are assigned afterwards. */
#define FLOWRRA_TASK_TYPE_INIT FLOWRRA_TASK_(NULL, NULL, NULL, NULL, NULL)

/* In C++ only since C++20. */
#if !defined(__cplusplus) || defined(__cpp_designated_initializers)
#define FLOWRRA_TASK_DEFAULTS                                                  \
	.max_retries = -1, .retry_delay = -1.0, .retry_backoff = 1.0
#endif

/*
 * A module. It must stay valid until the process ends. The functions may be
 * NULL; those that can fail return 0, or -1 with the reason, one line, in
 * `error`, which has room for `error_size` bytes with the NUL. The executor
 * then refuses the module and goes on with the others.
 */
struct flowrra_module {
	uint32_t abi_major; /* FLOWRRA_MODULE_ABI_MAJOR */
	uint32_t abi_minor; /* FLOWRRA_MODULE_ABI_MINOR */
	const char *name;   /* [A-Za-z0-9_.-], 1 to 200 characters */
	const char *version;
	const struct flowrra_task_type *tasks;
	size_t n_tasks;	  /* 1 to 10000 */
	size_t task_size; /* sizeof(struct flowrra_task_type) */

	/* Called once in each executor, after the tasks were checked. */
	int (*init)(char *error, size_t error_size);

	/* Called when an executor ends in good order. */
	void (*fini)(void);

	/*
	 * Since 1.1. Called first, as soon as the version and the name were
	 * checked. `config` is the section [module NAME] of flowrra.conf(5) for
	 * this name: an object of strings, borrowed, which may be empty. The
	 * function may still set `tasks` and `n_tasks`. It is also called where
	 * a configuration is only checked.
	 */
	int (*configure)(const json_t *config, char *error, size_t error_size);
};

/* The function that a module exports. */
const struct flowrra_module *flowrra_module(void);

/*
 * Defines that function, for a module without init, fini and configure.
 * `task_array` is an array of struct flowrra_task_type, not a pointer.
 */
#define FLOWRRA_MODULE(module_name, module_version, task_array)                \
	__attribute__((visibility("default"))) const struct flowrra_module *   \
	flowrra_module(void)                                                   \
	{                                                                      \
		static const struct flowrra_module module_ = {                 \
		    FLOWRRA_MEMBER_(abi_major, FLOWRRA_MODULE_ABI_MAJOR),      \
		    FLOWRRA_MEMBER_(abi_minor, FLOWRRA_MODULE_ABI_MINOR),      \
		    FLOWRRA_MEMBER_(name, (module_name)),                      \
		    FLOWRRA_MEMBER_(version, (module_version)),                \
		    FLOWRRA_MEMBER_(tasks, (task_array)),                      \
		    FLOWRRA_MEMBER_(n_tasks, sizeof(task_array) /              \
						 sizeof((task_array)[0])),     \
		    FLOWRRA_MEMBER_(task_size, sizeof((task_array)[0])),       \
		    FLOWRRA_MEMBER_(init, NULL),                               \
		    FLOWRRA_MEMBER_(fini, NULL),                               \
		    FLOWRRA_MEMBER_(configure, NULL),                          \
		};                                                             \
		return &module_;                                               \
	}

/* --- about the task ------------------------------------------------------ */

/* These may be called by any thread, as long as the task has not ended. */

/* The task's id and name, which stay valid until the task ends. */
const char *flowrra_task_id(const struct flowrra_task *task);
const char *flowrra_task_name(const struct flowrra_task *task);

/*
 * Since 1.3. The JSON text of `args` and `kwargs` as the task was submitted, for
 * handlers that need numbers as they were written ("1.10", "1e5"). Valid until
 * the task ends; `*length` bytes, and no NUL.
 */
const char *flowrra_task_args_text(const struct flowrra_task *task,
				   size_t *length);
const char *flowrra_task_kwargs_text(const struct flowrra_task *task,
				     size_t *length);

/*
 * Since 1.5. The trace that this attempt is part of, to be handed on with what the
 * handler calls: the headers traceparent and tracestate of W3C Trace Context. NULL
 * if there is none. Valid until the task ends.
 */
const char *flowrra_task_traceparent(const struct flowrra_task *task);
const char *flowrra_task_tracestate(const struct flowrra_task *task);

/*
 * Since 1.6. The workflow that the task is a step of (flowrra-workflows(7)), for the
 * options of tasks that it adds to it; NULL: it is no step. Valid until the task
 * ends.
 */
const char *flowrra_task_flow(const struct flowrra_task *task);

/* The number of this attempt: 1 for the first. */
unsigned int flowrra_task_attempt(const struct flowrra_task *task);

/* The number of attempts that the task may have in all; 0: no limit. */
unsigned int flowrra_task_max_attempts(const struct flowrra_task *task);

/*
 * Whether the handler should end soon, since the task is cancelled or past its
 * timeout. It costs next to nothing: call it in loops.
 */
bool flowrra_task_cancelled(const struct flowrra_task *task);

/* Seconds until the timeout; 0 once it has passed, HUGE_VAL if there is none.
 */
double flowrra_task_time_left(const struct flowrra_task *task);

/* A pointer for the handler's own use; NULL at first. The handler frees what it
 * points to, before the task ends. */
void flowrra_task_set_data(struct flowrra_task *task, void *data);
void *flowrra_task_data(const struct flowrra_task *task);

/*
 * Shows `progress` (borrowed; any JSON value) in the task's record. Returns 0,
 * or -1 if it cannot be written as JSON, is larger than max_result_size, or deeper
 * than a result may be. In an asynchronous handler it also returns -1, and shows nothing, while the
 * worker is too slow to read.
 */
int flowrra_task_progress(struct flowrra_task *task, const json_t *progress);

/* Writes a line with the task's id to the worker's log. `level` is one of
 * syslog(3), from 3 (error) to 7 (debug). */
void flowrra_task_log(struct flowrra_task *task, int level, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));

/* --- how it ends --------------------------------------------------------- */

/*
 * Fails this attempt with a text. After flowrra_fail() the task is tried again
 * if it has retries left, after flowrra_fail_final() it is not. Both return -1,
 * so that a blocking handler can end with `return flowrra_fail(…)`. In an
 * asynchronous handler they end the task.
 */
int flowrra_fail(struct flowrra_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int flowrra_fail_final(struct flowrra_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends an asynchronous task with success. Takes over the reference `result`;
 * NULL is the result null. A result (of a blocking handler, too) with more than 500
 * arrays and objects inside one another fails the task for good. */
void flowrra_finish(struct flowrra_task *task, json_t *result);

/* --- further tasks ------------------------------------------------------- */

/* Room for the address of a task's socket. */
#define FLOWRRA_SOCKET_SIZE 128

/*
 * For a handler that starts a command: the address by which flowrractl submit in
 * that command submits as flowrra_task_submit() does, without a credential, and
 * for as long as the task runs. The command finds it in the variable
 * FLOWRRA_TASK_SOCKET. Returns 0, or -1 when there is none, with
 * errno if something is short: EMFILE, EAGAIN, ENOMEM.
 */
int flowrra_task_socket(struct flowrra_task *task,
			char address[FLOWRRA_SOCKET_SIZE]);

/*
 * How a task is submitted. The options begin with their size, so that later
 * versions can add members: start from FLOWRRA_SUBMIT_OPTIONS_INIT.
 */
struct flowrra_submit_options {
	size_t size;	    /* sizeof(struct flowrra_submit_options) */
	const char *queue;  /* NULL: as the task's module says */
	int priority;	    /* a lower number runs first */
	double delay;	    /* before the task may run, up to ten years */
	int max_retries;    /* -1: as the task's module says */
	double retry_delay; /* < 0: as the task's module says */
	double timeout;	    /* of one attempt; < 0: as its module says */

	/* Since 1.5, as of struct flowrra_request (flowrra/client.h). */
	const char *id; /* refused if it has a record; NULL: a new UUID */
	/* If another task of this queue had the same key within unique_ttl_s (an
	 * hour, if it is < 0), nothing is queued. Then a blocking handler gets
	 * the other one's id. NULL: none. */
	const char *unique;
	double unique_ttl_s;
	int64_t at_us;		  /* µs since 1970, UTC; 0: at once */
	int64_t expires_us;	  /* do not begin after this time; 0: never */
	double retry_backoff;	  /* 1 to 1000; 0: as its module says */
	double retry_delay_max_s; /* < 0: as its module says */
	double retry_jitter;	  /* 0 to 1; < 0: as its module says */
	int cpu_bound;		  /* 0 or 1; -1: as its module says */

	/* Since 1.6: as of struct flowrra_request. NULL: none. */
	const char *group;
	const char *unique_until;
	double debounce_s; /* < 0: none */
	const char *flow;  /* a step may add to its own even after the seal */
	const char *after; /* JSON */
	const char *on;
};
#define FLOWRRA_SUBMIT_OPTIONS_INIT                                            \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_submit_options)),  \
		    FLOWRRA_MEMBER_(queue, NULL),                              \
		    FLOWRRA_MEMBER_(priority, 0), FLOWRRA_MEMBER_(delay, 0),   \
		    FLOWRRA_MEMBER_(max_retries, -1),                          \
		    FLOWRRA_MEMBER_(retry_delay, -1.0),                        \
		    FLOWRRA_MEMBER_(timeout, -1.0), FLOWRRA_MEMBER_(id, NULL), \
		    FLOWRRA_MEMBER_(unique, NULL),                             \
		    FLOWRRA_MEMBER_(unique_ttl_s, -1.0),                       \
		    FLOWRRA_MEMBER_(at_us, 0), FLOWRRA_MEMBER_(expires_us, 0), \
		    FLOWRRA_MEMBER_(retry_backoff, 0),                         \
		    FLOWRRA_MEMBER_(retry_delay_max_s, -1.0),                  \
		    FLOWRRA_MEMBER_(retry_jitter, -1.0),                       \
		    FLOWRRA_MEMBER_(cpu_bound, -1),                            \
		    FLOWRRA_MEMBER_(group, NULL),                              \
		    FLOWRRA_MEMBER_(unique_until, NULL),                       \
		    FLOWRRA_MEMBER_(debounce_s, -1.0),                         \
		    FLOWRRA_MEMBER_(flow, NULL), FLOWRRA_MEMBER_(after, NULL), \
		    FLOWRRA_MEMBER_(on, NULL)                                  \
	}

/*
 * Submits another task. `args` (an array) and `kwargs` (an object) are borrowed
 * and may be NULL, for empty ones. `options` may be NULL. A task that no module
 * of this worker has needs a queue. Unless `id` is NULL, the new task's id, a
 * UUID, is written there.
 *
 * A blocking handler waits for the answer: 0 means that the task is queued, -1
 * that it is not. An asynchronous handler does not wait: 0 means that the
 * request is under way. In both, what goes wrong is written to the worker's
 * log, and -1 for a wrong argument comes at once.
 *
 * Modules that were built for 1.0 or 1.1 call the symbol flowrra_task_submit
 * with options that have no size. Since 1.2 the function has another symbol, so
 * that each module finds the one that it was built for.
 */
int flowrra_task_submit(
    struct flowrra_task *task, const char *name, const json_t *args,
    const json_t *kwargs, const struct flowrra_submit_options *options,
    char id[FLOWRRA_ID_SIZE]) __asm__("flowrra_task_submit_sized");

/*
 * Since 1.5. Waits in a blocking handler until another task has finished, in success
 * or failure, for `timeout` seconds at most; < 0: without limit. Returns 0 with the
 * task's record, a new reference to an object with status, result, error and the
 * rest of flowrra-protocol(7); or -1, with the reason in the worker's log: there is no
 * record, the time is over, or the handler itself is to end
 * (flowrra_task_cancelled()).
 *
 * A handler that waits keeps its thread or process. So that what it waits for can
 * run, one handler of each kind never waits: the call that would let all io_workers,
 * or all cpu_workers, wait fails at once.
 */
int flowrra_task_await(struct flowrra_task *task, const char *id,
		       double timeout, json_t **record);

#ifdef __cplusplus
}
#endif

#endif
