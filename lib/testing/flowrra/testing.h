/* SPDX-License-Identifier: MIT */
/*
 * flowrra/testing.h: run the handlers of a module in a test program, with no
 * worker and no store.
 *
 *	#include <assert.h>
 *	#include <stdio.h>
 *	#include <string.h>
 *	#include <flowrra/testing.h>
 *
 *	int
 *	main(void)
 *	{
 *		struct flowrra_test_options options = FLOWRRA_TEST_OPTIONS_INIT;
 *		struct flowrra_test_call call = FLOWRRA_TEST_CALL_INIT;
 *		struct flowrra_test_result *result;
 *		struct flowrra_test *test;
 *		char error[512];
 *
 *		options.file = "./sums.so";
 *		if (flowrra_test_open(&options, &test, error,
 *				      sizeof(error)) != 0) {
 *			fprintf(stderr, "%s\n", error);
 *			return 1;
 *		}
 *		call.task = "add";
 *		call.args = "[2, 3]";
 *		if (flowrra_test_run(test, &call, &result, error,
 *				     sizeof(error)) != 0) {
 *			fprintf(stderr, "%s\n", error);
 *			return 1;
 *		}
 *		assert(result->success && strcmp(result->result, "5") == 0);
 *		flowrra_test_result_free(result);
 *		flowrra_test_close(test);
 *		return 0;
 *	}
 *
 * Build it with
 *
 *	cc sums_test.c $(pkg-config --cflags --libs flowrra-testing)
 *
 * The library has the functions of flowrra/module.h: handlers may be in a
 * module's file, or be linked to the test program.
 *
 * A handler runs in a thread of the library's, as in an executor. One that
 * crashes or calls exit() takes the test program with it. A module is loaded,
 * and initialized, once for each flowrra_test_open(), and one may be open at a
 * time; the functions are for one thread.
 *
 * A function that can fail returns 0, or -1 with the reason, one line, in
 * `error`, which has room for `error_size` bytes with the NUL.
 */
#ifndef FLOWRRA_TESTING_H
#define FLOWRRA_TESTING_H

#include <stdbool.h>
#include <stddef.h>

#include <flowrra/module.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flowrra_test;

/*
 * What to test. The options begin with their size, so that later versions can
 * add members: start from FLOWRRA_TEST_OPTIONS_INIT.
 */
struct flowrra_test_options {
	size_t size;	  /* sizeof(struct flowrra_test_options) */
	const char *file; /* the module's file … */
	const struct flowrra_module *module; /* … or one of this program */
	const char *config; /* for its configure(): a JSON object; NULL: {} */
	size_t max_result;  /* bytes of a result; 1 MiB by default */
};
#define FLOWRRA_TEST_OPTIONS_INIT                                              \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_test_options)),    \
		    FLOWRRA_MEMBER_(file, NULL),                               \
		    FLOWRRA_MEMBER_(module, NULL),                             \
		    FLOWRRA_MEMBER_(config, NULL),                             \
		    FLOWRRA_MEMBER_(max_result, 1048576)                       \
	}

/* Loads the module and calls its configure() and init(). A file is judged as an
 * executor does it: writable by its owner alone, as the folders above it. */
int flowrra_test_open(const struct flowrra_test_options *options,
		      struct flowrra_test **test, char *error,
		      size_t error_size);

/* Calls the module's fini(). NULL is allowed. */
void flowrra_test_close(struct flowrra_test *test);

/* One attempt to run a task; start from FLOWRRA_TEST_CALL_INIT. */
struct flowrra_test_call {
	size_t size; /* sizeof(struct flowrra_test_call) */
	const char *task;
	const char *args;     /* a JSON array; NULL: [] */
	const char *kwargs;   /* a JSON object; NULL: {} */
	const char *id;	      /* NULL: a new UUID */
	unsigned int attempt; /* 1 for the first */
	double timeout_s;     /* < 0: the task's own; 0: none */
	/* Cancel it after this time, but not before the handler has run for
	 * 5 ms; < 0: never. */
	double cancel_after_s;
	/* Then the call fails, and nothing but flowrra_test_close() is left to
	 * do; 0: never. */
	double give_up_s;
	/*
	 * Called, in the thread of flowrra_test_run(), for each task that the
	 * handler submits: a JSON object with its id, name, args, kwargs and the
	 * options that were set. 0 accepts it; otherwise the handler's call
	 * returns -1. NULL: all are accepted.
	 */
	int (*on_submit)(const char *json, void *arg);
	void *arg;
	/* Called for each task that the handler waits for: its record, as JSON, or
	 * NULL, if there is none. NULL: there is none of any. */
	const char *(*on_await)(const char *id, void *arg);
};
#define FLOWRRA_TEST_CALL_INIT                                                 \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_test_call)),       \
		    FLOWRRA_MEMBER_(task, NULL), FLOWRRA_MEMBER_(args, NULL),  \
		    FLOWRRA_MEMBER_(kwargs, NULL), FLOWRRA_MEMBER_(id, NULL),  \
		    FLOWRRA_MEMBER_(attempt, 1),                               \
		    FLOWRRA_MEMBER_(timeout_s, -1.0),                          \
		    FLOWRRA_MEMBER_(cancel_after_s, -1.0),                     \
		    FLOWRRA_MEMBER_(give_up_s, 60),                            \
		    FLOWRRA_MEMBER_(on_submit, NULL),                          \
		    FLOWRRA_MEMBER_(arg, NULL),                                \
		    FLOWRRA_MEMBER_(on_await, NULL)                            \
	}

/* A line of flowrra_task_log(). */
struct flowrra_test_line {
	int level; /* of syslog(3) */
	const char *text;
};

/* What came of it. Later versions may add members at the end. */
struct flowrra_test_result {
	bool success;
	const char *result; /* JSON, compact; NULL after a failure */
	const char *error;  /* NULL after a success */
	/* What a worker without a configuration would do after the failure. */
	bool retry;
	double retry_delay_s; /* before it; the longest that jitter allows */
	bool told_to_end;     /* it was cancelled, or past its timeout */

	/* In the order in which they came. */
	const char *const *progress; /* JSON each */
	size_t n_progress;
	const char *const *submitted; /* as of on_submit() */
	size_t n_submitted;
	const struct flowrra_test_line *log;
	size_t n_log;
};

/* Runs the handler to its end. A handler that fails is no error of this call,
 * which is for wrong JSON and for a task that the module does not have. */
int flowrra_test_run(struct flowrra_test *test,
		     const struct flowrra_test_call *call,
		     struct flowrra_test_result **result, char *error,
		     size_t error_size);

/* NULL is allowed. */
void flowrra_test_result_free(struct flowrra_test_result *result);

#ifdef __cplusplus
}
#endif

#endif
