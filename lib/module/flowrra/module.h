/* SPDX-License-Identifier: MIT */
/*
 * flowrra/module.h: how to write task handlers for Flowrra in C.
 *
 * A module is a shared object that exports one function, flowrra_module(),
 * which returns a description of its tasks. flowrrad starts executors, which
 * load the modules that `[worker] modules` names and run the handlers.
 *
 *	static int
 *	add(struct flowrra_task *task, const json_t *args,
 *	    const json_t *kwargs, json_t **result)
 *	{
 *		json_int_t a, b;
 *
 *		if (json_unpack((json_t *)args, "[II]", &a, &b) != 0)
 *			return flowrra_fail_final(task, "add wants 2 integers");
 *		*result = json_integer(a + b);
 *		return 0;
 *	}
 *
 *	static const struct flowrra_task_type tasks[] = {
 *		{.name = "add", .run = add, .description = "Adds two numbers",
 *		 FLOWRRA_TASK_DEFAULTS},
 *	};
 *	FLOWRRA_MODULE("sums", "1.0", tasks)
 *
 * Build it with
 *	cc -shared -fPIC $(pkg-config --cflags flowrra jansson) sums.c -o
 *sums.so The functions below are found in the executor; no library is linked
 *for them.
 *
 * Handlers run in threads, several at the same time, unless `cpu_bound` is
 * set: then each runs alone in a process of its own. A handler that crashes
 * costs only its own task an attempt; exit(), _exit() and pthread_exit() are
 * crashes, too.
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
 * The version of this interface. An executor refuses a module of another
 * major version. A minor version adds fields at the end of the structures;
 * task_size and abi_minor tell the executor which of them a module knows.
 */
#define FLOWRRA_MODULE_ABI_MAJOR 1
#define FLOWRRA_MODULE_ABI_MINOR 1

struct event_base;   /* libevent's */
struct flowrra_task; /* one running task */

/*
 * A blocking handler. `args` is an array and `kwargs` an object, both
 * borrowed. Returns 0 with a new reference in *result (left NULL, the result
 * is null), or what flowrra_fail() or flowrra_fail_final() returned. Any other
 * non-zero value fails the task with a text that gives the number.
 */
typedef int flowrra_run_fn(struct flowrra_task *task, const json_t *args,
			   const json_t *kwargs, json_t **result);

/*
 * An asynchronous handler: starts the work on `base`, the event loop of the
 * executor, and returns at once. Later, from any callback of that loop or
 * from within this very call, exactly one of flowrra_finish(),
 * flowrra_fail() and flowrra_fail_final() ends the task; `task`, `args` and
 * `kwargs` are gone after it. To end a task twice, or in another thread, aborts
 * the executor. A callback that blocks holds up all others.
 */
typedef void flowrra_start_fn(struct flowrra_task *task,
			      struct event_base *base, const json_t *args,
			      const json_t *kwargs);

/*
 * Told on the event loop, once at most, that the task is cancelled or past its
 * timeout. The handler should end the task soon, from here or later.
 */
typedef void flowrra_cancel_fn(struct flowrra_task *task);

/* What a module says of one task; FLOWRRA_TASK_DEFAULTS fills what is open. */
struct flowrra_task_type {
	const char *name;	   /* [A-Za-z0-9_.-], 1 to 200 characters */
	const char *description;   /* one line, or NULL */
	const char *queue;	   /* NULL: "cpu" if cpu_bound, else "io" */
	flowrra_run_fn *run;	   /* either this */
	flowrra_start_fn *start;   /* or this; never with cpu_bound */
	flowrra_cancel_fn *cancel; /* with `start`; may be NULL */
	bool cpu_bound;
	int max_retries;	/* -1: as configured */
	double retry_delay;	/* seconds before a retry; < 0: as configured */
	double retry_backoff;	/* each delay is so many times the one before;
				   1: constant */
	double retry_delay_max; /* seconds; 0: no limit */
	double retry_jitter;	/* 0 to 1: the part of a delay left to chance */
	double timeout;		/* seconds; 0: none */
};

#define FLOWRRA_TASK_DEFAULTS                                                  \
	.max_retries = -1, .retry_delay = -1.0, .retry_backoff = 1.0

struct flowrra_module {
	uint32_t abi_major; /* FLOWRRA_MODULE_ABI_MAJOR */
	uint32_t abi_minor;
	const char *name;
	const char *version;
	const struct flowrra_task_type *tasks;
	size_t n_tasks;
	size_t task_size; /* sizeof(struct flowrra_task_type) */
	/* Called in each executor after loading; -1 refuses the module, with a
	 * reason in `error`. May be NULL. */
	int (*init)(char *error, size_t error_size);
	/* Called before an executor ends of its own will. May be NULL. */
	void (*fini)(void);
	/* Since 1.1. Called once, before anything but the version and the name
	 * is looked at, with what the configuration says for the module of
	 * this name: an object, borrowed, maybe empty. It may still set the
	 * tasks. -1 refuses the module, with a reason in `error`. May be NULL.
	 */
	int (*configure)(const json_t *config, char *error, size_t error_size);
};

/* The function that a module exports. */
const struct flowrra_module *flowrra_module(void);

/* Defines it for a module without init and fini. */
#define FLOWRRA_MODULE(module_name, module_version, task_array)                \
	__attribute__((visibility("default"))) const struct flowrra_module *   \
	flowrra_module(void)                                                   \
	{                                                                      \
		static const struct flowrra_module module_ = {                 \
		    .abi_major = FLOWRRA_MODULE_ABI_MAJOR,                     \
		    .abi_minor = FLOWRRA_MODULE_ABI_MINOR,                     \
		    .name = (module_name),                                     \
		    .version = (module_version),                               \
		    .tasks = (task_array),                                     \
		    .n_tasks = sizeof(task_array) / sizeof((task_array)[0]),   \
		    .task_size = sizeof((task_array)[0]),                      \
		};                                                             \
		return &module_;                                               \
	}

/* The task's id and name; good as long as the task. */
const char *flowrra_task_id(const struct flowrra_task *task);
const char *flowrra_task_name(const struct flowrra_task *task);
/* 1 for the first attempt. */
unsigned int flowrra_task_attempt(const struct flowrra_task *task);
/* How many attempts there may be in all; 0: without limit. */
unsigned int flowrra_task_max_attempts(const struct flowrra_task *task);

/*
 * Whether the handler should end soon: the task is cancelled, or past its
 * timeout. Cheap: meant to be asked in a loop.
 */
bool flowrra_task_cancelled(const struct flowrra_task *task);
/* Seconds until the timeout, 0 when it has passed, HUGE_VAL without one. */
double flowrra_task_time_left(const struct flowrra_task *task);

/* A pointer of the handler's own, for its callbacks; NULL at first. */
void flowrra_task_set_data(struct flowrra_task *task, void *data);
void *flowrra_task_data(const struct flowrra_task *task);

/* Shows `progress` (borrowed; any JSON) in the task's record. 0 or -1. */
int flowrra_task_progress(struct flowrra_task *task, const json_t *progress);

/* Writes a line, with the task's id, to the worker's log. Levels of syslog(3)
 * from 3 (error) to 7 (debug). */
void flowrra_task_log(struct flowrra_task *task, int level, const char *format,
		      ...) __attribute__((format(printf, 3, 4)));

/*
 * Fails this attempt with a text; the task is tried again if it has retries
 * left. flowrra_fail_final() asks for no retry. Both return -1, for
 * `return flowrra_fail(…)`; in an asynchronous handler they end the task.
 */
int flowrra_fail(struct flowrra_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int flowrra_fail_final(struct flowrra_task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends an asynchronous task with a result; takes over the reference. */
void flowrra_finish(struct flowrra_task *task, json_t *result);

/*
 * Submits another task. `name` and the options are as in flowrractl-submit;
 * args and kwargs are borrowed and may be NULL, `options` may be NULL. With
 * `id` (37 bytes) the new task's id is written there. A blocking handler waits
 * for the answer: 0 means queued, -1 not (flowrra_task_log() has told why).
 * In an asynchronous handler it returns 0 once the request is under way.
 */
struct flowrra_submit_options {
	const char *queue;  /* NULL: the task's own */
	int priority;	    /* a lower number runs first */
	double delay;	    /* seconds */
	int max_retries;    /* -1: the task's own */
	double retry_delay; /* < 0: the task's own */
	double timeout;	    /* < 0: the task's own */
};
#define FLOWRRA_SUBMIT_OPTIONS_INIT                                            \
	{                                                                      \
		.max_retries = -1, .retry_delay = -1.0, .timeout = -1.0        \
	}
int flowrra_task_submit(struct flowrra_task *task, const char *name,
			const json_t *args, const json_t *kwargs,
			const struct flowrra_submit_options *options,
			char id[37]);

#ifdef __cplusplus
}
#endif

#endif
