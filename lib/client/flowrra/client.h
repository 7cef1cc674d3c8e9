/* SPDX-License-Identifier: MIT */
/*
 * flowrra/client.h: submit tasks to Flowrra and wait for their results, in C.
 *
 *	#include <err.h>
 *	#include <stdio.h>
 *	#include <flowrra/client.h>
 *
 *	int
 *	main(void)
 *	{
 *		struct flowrra_request request = FLOWRRA_REQUEST_INIT;
 *		struct flowrra_client *client;
 *		struct flowrra_record *record;
 *		struct flowrra_error error;
 *		char id[FLOWRRA_ID_SIZE];
 *
 *		if (flowrra_open(NULL, &client, &error) != 0)
 *			errx(error.code, "%s", error.message);
 *		request.name = "add";
 *		request.args = "[2, 3]";
 *		if (flowrra_call(client, &request, 30, id, &record,
 *				 &error) != 0)
 *			errx(error.code, "%s", error.message);
 *		puts(record->state == FLOWRRA_SUCCESS ? record->result
 *						      : record->error);
 *		flowrra_record_free(record);
 *		flowrra_close(client);
 *		return 0;
 *	}
 *
 * Build it with
 *
 *	cc sums.c $(pkg-config --cflags --libs flowrra)
 *
 * A function that can fail returns 0, or -1 with *error filled. `error` may be
 * NULL. What a function gives back (`client`, `batch`, `record`, `json`, `id`)
 * is written on success only, unless its comment says otherwise. Text and JSON
 * are UTF-8 and end in a NUL. Units are in the names: `_s` is seconds, `_us`
 * microseconds.
 *
 * Any number of threads may use a client at the same time. A thread that waits
 * holds up no other. The library starts no threads, installs no signal
 * handlers and has no global state. A connection that breaks raises no SIGPIPE.
 *
 * After fork() the client belongs to the parent. In the child every function
 * fails with FLOWRRA_USAGE, except flowrra_close(), which leaves the parent's
 * connections alone. A child may open a client of its own; on the embedded store
 * only if the parent had no client open on one at the fork (FLOWRRA_USAGE).
 */
#ifndef FLOWRRA_CLIENT_H
#define FLOWRRA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A member of an initialiser: by its name where the language has that (C, and
 * C++ since C++20), elsewhere by its place. */
#if !defined(__cplusplus) || defined(__cpp_designated_initializers)
#define FLOWRRA_MEMBER_(name, value) .name = value
#else
#define FLOWRRA_MEMBER_(name, value) value
#endif

/*
 * What went wrong. The numbers never change: they are the exit codes of
 * flowrractl(1), too. Any function may fail with FLOWRRA_USAGE, FLOWRRA_SYSTEM
 * and FLOWRRA_INTERNAL; the comments below name the other codes.
 */
enum flowrra_code {
	FLOWRRA_OK = 0,
	FLOWRRA_TASK_FAILED = 1, /* of flowrractl only */
	FLOWRRA_NOT_FOUND = 2,	 /* the id has no record, or the name no task */
	FLOWRRA_TIMEOUT = 3,	 /* the time to wait is over */
	FLOWRRA_USAGE = 64,	 /* the call itself is wrong */
	FLOWRRA_DATA = 65,	 /* a bad value, or an unknown task */
	FLOWRRA_UNAVAILABLE = 69, /* no connection, or a server out of memory */
	FLOWRRA_INTERNAL = 70,	  /* a defect in Flowrra */
	FLOWRRA_SYSTEM = 71,	  /* no memory, or no file descriptors */
	FLOWRRA_FULL = 75,	  /* the queue has reached its limit */
	FLOWRRA_REFUSED = 77,	  /* a wrong password, an id that is taken, or
				     a task that has finished */
	FLOWRRA_CONFIG = 78	  /* the configuration is wrong */
};

struct flowrra_error {
	int code;	   /* enum flowrra_code */
	char message[512]; /* one line, for a person; never holds a secret */
};

/* The version of the library, such as "0.1.0". */
const char *flowrra_version(void);

/* --- opening ----------------------------------------------------------- */

struct flowrra_client;

/*
 * Options. They begin with their size, so that later versions can add members:
 * start from FLOWRRA_OPTIONS_INIT, which sets `size` and leaves the rest NULL.
 */
struct flowrra_options {
	size_t size;		     /* sizeof(struct flowrra_options) */
	const char *config_file;     /* NULL: the standard places */
	const char *const *settings; /* "section.key=value", NULL at the end */
	const char *broker_url;	     /* instead of the configured one */
	const char *backend_url;     /* the same; "": as the broker's */
};
#define FLOWRRA_OPTIONS_INIT                                                   \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_options)),         \
		    FLOWRRA_MEMBER_(config_file, NULL),                        \
		    FLOWRRA_MEMBER_(settings, NULL),                           \
		    FLOWRRA_MEMBER_(broker_url, NULL),                         \
		    FLOWRRA_MEMBER_(backend_url, NULL)                         \
	}

/*
 * Reads the configuration (flowrra.conf and the environment, as flowrractl
 * does) and makes a client; flowrra_close() frees it. A connection is made when
 * it is first needed, so the servers may be out of reach now. `options` may be
 * NULL; nothing of it is kept. Errors: FLOWRRA_CONFIG.
 */
int flowrra_open(const struct flowrra_options *options,
		 struct flowrra_client **client, struct flowrra_error *error);

/*
 * Closes the connections and frees the client. No other call may be under way,
 * and all batches must have been freed. Records stay valid. NULL is allowed.
 */
void flowrra_close(struct flowrra_client *client);

/* --- submitting -------------------------------------------------------- */

/* Room for a task's id: 200 characters and a NUL. The ids that Flowrra makes
 * are UUIDs of 36 characters, of version 7: they begin with the time of their
 * making, which anybody can read in them. */
#define FLOWRRA_ID_SIZE 201

/* A number that is left to the task's module or, after it, to the
 * configuration. */
#define FLOWRRA_UNSET (-1)

/*
 * One task to run. Only `name` must be set; start from FLOWRRA_REQUEST_INIT,
 * which sets `size` and leaves the numbers that have no default of their own
 * FLOWRRA_UNSET. Nothing of a request is kept after the call.
 *
 * Values that no handler could take as they are are refused (FLOWRRA_DATA): a
 * whole number beyond 64 bits, a number beyond the range of a double, a string
 * with \u0000.
 */
struct flowrra_request {
	size_t size;	    /* sizeof(struct flowrra_request) */
	const char *name;   /* as a worker has registered it */
	const char *args;   /* a JSON array; NULL: [] */
	const char *kwargs; /* a JSON object; NULL: {} */
	const char *id;	    /* 1 to 200 printable ASCII characters, no spaces;
				 refused if it has a record; NULL: a new UUID */
	const char *queue;  /* NULL: the task's own */
	int priority;	    /* a lower number runs first; default 0 */
	int max_retries;    /* 0 to 1000000 */
	/*
	 * Run the task after this time, or at this time (since 1970, UTC, up to
	 * the year 9999); 0: at once. The store's clock counts: that of the
	 * Redis server, or with SQLite that of this machine. If it differs from
	 * this program's clock, a task with at_us starts early or late by as
	 * much. If it is set while the task waits, so does a task with delay_s.
	 */
	double delay_s;
	int64_t at_us;
	int64_t expires_us;   /* do not begin after this time, since 1970, UTC;
				 0: never expires */
	double timeout_s;     /* of one attempt; 0: none */
	double retry_delay_s; /* before the first retry */
	double retry_backoff; /* factor from one delay to the next, 1 to 1000 */
	double retry_delay_max_s; /* limit of the delay; 0: none */
	double retry_jitter;	  /* random part of the delay, 0 to 1 */
	int cpu_bound;		  /* 0 or 1; FLOWRRA_UNSET: as registered */
	bool force; /* also if `name` is not registered; needs `queue` */
	/*
	 * A key of 1 to 1024 bytes. If several requests for a queue have the
	 * same key within unique_ttl_s (default: an hour), only the first is
	 * queued. The others succeed, with the id of the first.
	 */
	const char *unique;
	double unique_ttl_s;
	/*
	 * The trace that the task is to continue, as in the header of the same
	 * name of W3C Trace Context, and its tracestate; NULL: none. What is not
	 * valid is refused (FLOWRRA_DATA).
	 */
	const char *traceparent;
	const char *tracestate;
	/*
	 * The group that limits of the queue count the task in: 1 to 200 bytes of
	 * UTF-8 without control characters. NULL: none.
	 */
	const char *group;
	/*
	 * "start" or "end": the key of `unique` lasts until its task starts, or has
	 * ended in any way, and goes with a task that is removed. unique_ttl_s
	 * (default: 30 days) then counts from when the task is due. NULL: the key
	 * lasts for unique_ttl_s, whatever becomes of the task.
	 */
	const char *unique_until;
	/*
	 * Needs `unique`: run the task so long after the last request with its key.
	 * While a task with the key is delayed, a further one replaces its
	 * arguments and its time; it keeps its id.
	 */
	double debounce_s;
	/*
	 * The workflow that the task is a step of (flowrra_flow_begin()); NULL:
	 * none. An ID that the workflow has already adds nothing, and is no error.
	 */
	const char *flow;
	/*
	 * Steps of the workflow that have to end first, by their IDs: a JSON
	 * array, as in ["a", "b:complete"]. A word behind a colon says how: success
	 * (the default), failure or complete; if one of them ends in another way,
	 * this step is skipped. NULL: none.
	 */
	const char *after;
	/* "success", "failure" or "complete": the step runs when all others of
	 * the workflow have ended, if they have ended so. NULL: it is one of
	 * these. */
	const char *on;
};
#define FLOWRRA_REQUEST_INIT                                                   \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_request)),         \
		    FLOWRRA_MEMBER_(name, NULL), FLOWRRA_MEMBER_(args, NULL),  \
		    FLOWRRA_MEMBER_(kwargs, NULL), FLOWRRA_MEMBER_(id, NULL),  \
		    FLOWRRA_MEMBER_(queue, NULL),                              \
		    FLOWRRA_MEMBER_(priority, 0),                              \
		    FLOWRRA_MEMBER_(max_retries, FLOWRRA_UNSET),               \
		    FLOWRRA_MEMBER_(delay_s, 0), FLOWRRA_MEMBER_(at_us, 0),    \
		    FLOWRRA_MEMBER_(expires_us, 0),                            \
		    FLOWRRA_MEMBER_(timeout_s, FLOWRRA_UNSET),                 \
		    FLOWRRA_MEMBER_(retry_delay_s, FLOWRRA_UNSET),             \
		    FLOWRRA_MEMBER_(retry_backoff, FLOWRRA_UNSET),             \
		    FLOWRRA_MEMBER_(retry_delay_max_s, FLOWRRA_UNSET),         \
		    FLOWRRA_MEMBER_(retry_jitter, FLOWRRA_UNSET),              \
		    FLOWRRA_MEMBER_(cpu_bound, FLOWRRA_UNSET),                 \
		    FLOWRRA_MEMBER_(force, false),                             \
		    FLOWRRA_MEMBER_(unique, NULL),                             \
		    FLOWRRA_MEMBER_(unique_ttl_s, FLOWRRA_UNSET),              \
		    FLOWRRA_MEMBER_(traceparent, NULL),                        \
		    FLOWRRA_MEMBER_(tracestate, NULL),                         \
		    FLOWRRA_MEMBER_(group, NULL),                              \
		    FLOWRRA_MEMBER_(unique_until, NULL),                       \
		    FLOWRRA_MEMBER_(debounce_s, FLOWRRA_UNSET),                \
		    FLOWRRA_MEMBER_(flow, NULL), FLOWRRA_MEMBER_(after, NULL), \
		    FLOWRRA_MEMBER_(on, NULL)                                  \
	}

/*
 * Puts a task into its queue. Success means that the broker has the task; `id`,
 * unless it is NULL, is then the task's id. A submission is never sent twice.
 *
 * Errors:
 * FLOWRRA_DATA: a bad value, or a name that no worker has registered; the
 *	message lists similar names. If no worker has ever registered a task,
 *	the call waits two seconds for one.
 * FLOWRRA_FULL: the queue has reached its limit, of tasks or, on Redis, of
 *	priorities (max_queue_size in flowrra.conf(5)).
 * FLOWRRA_REFUSED: the id is taken, or the server refuses the connection.
 * FLOWRRA_UNAVAILABLE: no connection within socket_timeout, or the server is
 *	out of memory. The message says if the task may be queued all the same.
 */
int flowrra_submit(struct flowrra_client *client,
		   const struct flowrra_request *request,
		   char id[FLOWRRA_ID_SIZE], struct flowrra_error *error);

/*
 * A batch: many tasks in one message. A program that fills one batch while
 * another is under way keeps the broker busy; a few hundred tasks are a good
 * size. A batch is used by one thread at a time.
 */
struct flowrra_batch;

/* Makes an empty batch; flowrra_batch_free() frees it, before its client. */
int flowrra_batch_new(struct flowrra_client *client,
		      struct flowrra_batch **batch,
		      struct flowrra_error *error);

/* Waits for a batch that is under way, then frees it. NULL is allowed. */
void flowrra_batch_free(struct flowrra_batch *batch);

/* Waits for a batch that is under way, then makes it empty, to be used again.
 */
void flowrra_batch_reset(struct flowrra_batch *batch);

/* Checks and encodes a request. After a failure the batch is as it was before.
 * Errors: FLOWRRA_DATA, FLOWRRA_UNAVAILABLE, as of flowrra_submit(). */
int flowrra_batch_add(struct flowrra_batch *batch,
		      const struct flowrra_request *request,
		      struct flowrra_error *error);

/* The number of tasks that were added. */
size_t flowrra_batch_count(const struct flowrra_batch *batch);

/* The bytes that the added tasks take, for a caller that limits its memory. */
size_t flowrra_batch_bytes(const struct flowrra_batch *batch);

/* Sends the batch, without waiting for the broker. */
int flowrra_batch_send(struct flowrra_batch *batch,
		       struct flowrra_error *error);

/* Waits until each task of a sent batch has its answer, good or bad. */
int flowrra_batch_wait(struct flowrra_batch *batch,
		       struct flowrra_error *error);

/* Whether each task has its answer: then flowrra_batch_wait() does not wait. */
bool flowrra_batch_answered(const struct flowrra_batch *batch);

/*
 * The id of task `i`, counted from 0, or NULL if there is no such task. Valid
 * until the batch is reset or freed, or another task is added to it.
 */
const char *flowrra_batch_id(const struct flowrra_batch *batch, size_t i);

/* After flowrra_batch_wait(): 0 if task `i` is queued; else -1, with the errors
 * of flowrra_submit(). */
int flowrra_batch_answer(const struct flowrra_batch *batch, size_t i,
			 struct flowrra_error *error);

/* --- results ----------------------------------------------------------- */

/* The state of a task. */
enum flowrra_state {
	FLOWRRA_PENDING,
	FLOWRRA_RUNNING,
	FLOWRRA_SUCCESS, /* final */
	FLOWRRA_FAILED,	 /* final */
	FLOWRRA_RETRYING /* waits for its next attempt */
};

/* Its name: "pending" and so on; "unknown" for any other number. */
const char *flowrra_state_text(int state);

/*
 * The record of a task. The library allocates it, and later versions may add
 * members at its end. A text that it does not have is NULL; a number, or a time
 * (µs since 1970, UTC), is 0. flowrra_record_free() frees it with all its texts.
 */
struct flowrra_record {
	const char *json; /* the whole record, as it is stored */
	int state;	  /* enum flowrra_state */
	const char *id;
	const char *name;
	const char *result;   /* JSON; "null" too */
	const char *error;    /* text: why it failed */
	const char *reason;   /* cancelled, expired, timeout, crashed, … */
	const char *progress; /* JSON: what the handler shows */
	const char *args;     /* JSON */
	const char *kwargs;   /* JSON */
	const char *queue;
	const char *worker;
	int64_t attempts; /* begun so far */
	int64_t retries;
	int64_t submitted_us;
	int64_t started_us;
	int64_t finished_us;
	/* How the command of the task ended, if it ran one (flowrra-exec(7)). */
	int exit_code; /* -1: there is none */
	int signal;    /* that killed it; 0: none */
};

/* NULL is allowed. */
void flowrra_record_free(struct flowrra_record *record);

/* Fetches the record as it is now. Errors: FLOWRRA_DATA (not a valid id),
 * FLOWRRA_NOT_FOUND, FLOWRRA_UNAVAILABLE. */
int flowrra_result(struct flowrra_client *client, const char *id,
		   struct flowrra_record **record, struct flowrra_error *error);

/*
 * Waits until a task has finished, in success or failure, for `timeout_s` at
 * most. 0 checks once, a negative number waits without limit. The wait survives
 * outages of the server.
 *
 * Errors:
 * FLOWRRA_DATA: not a valid id.
 * FLOWRRA_NOT_FOUND: the task has no record. This is known at once.
 * FLOWRRA_TIMEOUT: the task has not finished in time.
 * FLOWRRA_UNAVAILABLE: no connection within socket_timeout at first, or none
 *	when the time is over.
 */
int flowrra_wait(struct flowrra_client *client, const char *id,
		 double timeout_s, struct flowrra_record **record,
		 struct flowrra_error *error);

/* When flowrra_wait_many() is satisfied. */
enum flowrra_wait_mode {
	FLOWRRA_WAIT_ALL, /* all tasks have finished */
	FLOWRRA_WAIT_ANY  /* at least one has */
};

/*
 * The same for `n` tasks; `mode` is one of enum flowrra_wait_mode. records[i]
 * is set to the record of ids[i] if that task has finished, else to NULL, even
 * if the call fails. Free all of them. FLOWRRA_NOT_FOUND: with
 * FLOWRRA_WAIT_ALL one of the tasks has no record, with FLOWRRA_WAIT_ANY none
 * of them has.
 */
int flowrra_wait_many(struct flowrra_client *client, const char *const *ids,
		      size_t n, int mode, double timeout_s,
		      struct flowrra_record **records,
		      struct flowrra_error *error);

/*
 * Submits a task and waits until it has finished, in success or failure:
 * flowrra_submit() and flowrra_wait() in one. It is faster than the two, since
 * the worker sends the record of a short task directly to this client, where
 * results are stored in Redis. `timeout_s` is counted from when the task is
 * queued.
 *
 * Fails with the errors of both. `id`, unless it is NULL, is then "" if the
 * task was not queued. If it was, flowrra_wait() can wait for it again.
 */
int flowrra_call(struct flowrra_client *client,
		 const struct flowrra_request *request, double timeout_s,
		 char id[FLOWRRA_ID_SIZE], struct flowrra_record **record,
		 struct flowrra_error *error);

/* --- in an event loop -------------------------------------------------- */

/*
 * For programs that have an event loop of their own, and must not stand still.
 *
 * Returns a descriptor that the library keeps until flowrra_close(), or -1. When
 * it can be read (POLLIN, EPOLLIN, EV_READ; level-triggered), the program calls
 * flowrra_client_dispatch(). Time that passes is among what makes it readable: no
 * timeout is needed. It must not be read, nor be given to another process.
 *
 *	#include <poll.h>
 *	#include <stdio.h>
 *	#include <flowrra/client.h>
 *
 *	static void
 *	finished(struct flowrra_record *record,
 *		 const struct flowrra_error *error, void *arg)
 *	{
 *		puts(record == NULL    ? error->message
 *		     : record->result != NULL ? record->result
 *					      : record->error);
 *		flowrra_record_free(record);
 *		*(bool *)arg = true;
 *	}
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		struct flowrra_watch *watch = NULL;
 *		struct flowrra_client *client;
 *		struct pollfd p;
 *		bool done = false;
 *
 *		if (argc != 2 || flowrra_open(NULL, &client, NULL) != 0)
 *			return 1;
 *		p.fd = flowrra_client_fd(client, NULL);
 *		p.events = POLLIN;
 *		if (flowrra_watch(client, argv[1], finished, &done, &watch,
 *				  NULL) != 0)
 *			return 1;
 *		while (!done && poll(&p, 1, -1) > 0)
 *			flowrra_client_dispatch(client, NULL);
 *		flowrra_unwatch(watch);
 *		flowrra_close(client);
 *		return 0;
 *	}
 *
 * Functions that wait may be called as well; they stand still for as long as they
 * wait. Those that do not are flowrra_watch() and flowrra_batch_send(), whose
 * answer has come when flowrra_batch_answered() says so.
 */
int flowrra_client_fd(struct flowrra_client *client,
		      struct flowrra_error *error);

/*
 * Does what is to be done now, without waiting, and calls back what has come, in
 * this thread. A callback may call any function of the library.
 */
int flowrra_client_dispatch(struct flowrra_client *client,
			    struct flowrra_error *error);

struct flowrra_watch;

/*
 * The end of a task: `record`, which is the callee's to free, or NULL with the
 * error: FLOWRRA_NOT_FOUND, FLOWRRA_REFUSED, FLOWRRA_UNAVAILABLE (as of
 * flowrra_wait(), no connection within socket_timeout at first).
 */
typedef void flowrra_record_fn(struct flowrra_record *record,
			       const struct flowrra_error *error, void *arg);

/*
 * Has on_record() called once, by flowrra_client_dispatch(), when the task has
 * finished. It lasts through outages of the server. flowrra_unwatch() frees it,
 * after the callback or within it, or before, and then there is none; before
 * flowrra_close() in any case. Errors: FLOWRRA_DATA (not a valid id).
 */
int flowrra_watch(struct flowrra_client *client, const char *id,
		  flowrra_record_fn *on_record, void *arg,
		  struct flowrra_watch **watch, struct flowrra_error *error);
/* NULL is allowed. */
void flowrra_unwatch(struct flowrra_watch *watch);

/* --- tasks and workers ------------------------------------------------- */

/*
 * What the workers have registered under a name: a JSON object with queue,
 * cpu_bound, max_retries, retry_delay, retry_backoff, retry_delay_max,
 * retry_jitter, timeout and description. A member that is null is as
 * configured. flowrra_free() frees the text. Errors: FLOWRRA_NOT_FOUND, with
 * similar names in the message; FLOWRRA_UNAVAILABLE.
 */
int flowrra_registered(struct flowrra_client *client, const char *name,
		       char **json, struct flowrra_error *error);

/* All registered names, sorted: a JSON array of strings. flowrra_free() frees
 * the text. Errors: FLOWRRA_UNAVAILABLE. */
int flowrra_registered_names(struct flowrra_client *client, char **json,
			     struct flowrra_error *error);

/* NULL is allowed. */
void flowrra_free(void *json);

/*
 * Cancels a task, wherever it is, as `flowrractl cancel` does. A task that
 * waits, or is delayed, is removed from its queue and does not run; its record
 * is FLOWRRA_FAILED with the reason "cancelled" when the call returns. If a
 * worker has the task, the workers are asked to cancel it: the call does not
 * wait for that, and a task that ends first keeps its own outcome.
 * flowrra_wait() waits for the final record in both cases. After
 * FLOWRRA_UNAVAILABLE the call may be repeated.
 *
 * Errors: FLOWRRA_DATA (not a valid id), FLOWRRA_NOT_FOUND (no record),
 * FLOWRRA_REFUSED (the task has finished), FLOWRRA_UNAVAILABLE.
 */
int flowrra_cancel(struct flowrra_client *client, const char *id,
		   struct flowrra_error *error);

/* --- workflows ---------------------------------------------------------- */

/*
 * Workflows: tasks of which some wait for others (flowrra-workflows(7)). One is
 * begun, its steps are submitted with `flow`, `after` and `on`, and it is sealed:
 *
 *	#include <stdio.h>
 *	#include <flowrra/client.h>
 *
 *	int
 *	main(void)
 *	{
 *		char flow[FLOWRRA_FLOW_ID_SIZE], fetch[FLOWRRA_ID_SIZE];
 *		char args[FLOWRRA_ID_SIZE + 16], after[FLOWRRA_ID_SIZE + 8];
 *		struct flowrra_request step = FLOWRRA_REQUEST_INIT;
 *		struct flowrra_client *client;
 *
 *		if (flowrra_open(NULL, &client, NULL) != 0 ||
 *		    flowrra_flow_begin(client, NULL, flow, NULL) != 0)
 *			return 1;
 *		step.flow = flow;
 *		step.name = "fetch";
 *		if (flowrra_submit(client, &step, fetch, NULL) != 0)
 *			return 1;
 *		snprintf(args, sizeof(args), "[{\"$from\": \"%s\"}]", fetch);
 *		snprintf(after, sizeof(after), "[\"%s\"]", fetch);
 *		step.name = "parse";
 *		step.args = args;
 *		step.after = after;
 *		if (flowrra_submit(client, &step, NULL, NULL) != 0 ||
 *		    flowrra_flow_seal(client, flow, NULL) != 0 ||
 *		    flowrra_flow_wait(client, flow, -1, NULL, NULL) != 0)
 *			return 1;
 *		flowrra_close(client);
 *		return 0;
 *	}
 *
 * A step goes to its queue as soon as those that it comes after have ended. Steps
 * can be added by any program until the workflow is sealed.
 */

/* Room for the ID of a workflow: 64 characters and a NUL. */
#define FLOWRRA_FLOW_ID_SIZE 65

/* Start from FLOWRRA_FLOW_OPTIONS_INIT. */
struct flowrra_flow_options {
	size_t size;	   /* sizeof(struct flowrra_flow_options) */
	const char *id;	   /* 1 to 64 of A-Z a-z 0-9 _ . -; NULL: a new UUID */
	const char *label; /* a text for people; NULL: none */
	/* When a step fails: "continue" (NULL): those that come after its success
	 * are skipped; "cancel": all that has not begun. */
	const char *on_failure;
	bool whole;    /* nothing runs before it is sealed */
	double life_s; /* it is kept for so long after its end; 0: as results */
};
#define FLOWRRA_FLOW_OPTIONS_INIT                                              \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_flow_options)),    \
		    FLOWRRA_MEMBER_(id, NULL), FLOWRRA_MEMBER_(label, NULL),   \
		    FLOWRRA_MEMBER_(on_failure, NULL),                         \
		    FLOWRRA_MEMBER_(whole, false), FLOWRRA_MEMBER_(life_s, 0)  \
	}

/* Begins one; `options` may be NULL. Errors: FLOWRRA_DATA, FLOWRRA_REFUSED (the ID
 * is in use), FLOWRRA_UNAVAILABLE. */
int flowrra_flow_begin(struct flowrra_client *client,
		       const struct flowrra_flow_options *options,
		       char id[FLOWRRA_FLOW_ID_SIZE],
		       struct flowrra_error *error);

/* Says that no more steps come: it ends with the last of them. To seal one again
 * does nothing. Errors: FLOWRRA_NOT_FOUND, FLOWRRA_UNAVAILABLE. */
int flowrra_flow_seal(struct flowrra_client *client, const char *id,
		      struct flowrra_error *error);

/* Cancels it: no step that waits runs any more; those that run already go on. The
 * same errors. */
int flowrra_flow_cancel(struct flowrra_client *client, const char *id,
			struct flowrra_error *error);

/* How it stands: the JSON object of `flowrractl workflow list --json`.
 * flowrra_free() frees the text. The same errors. */
int flowrra_flow(struct flowrra_client *client, const char *id, char **json,
		 struct flowrra_error *error);

/* Waits until it has ended, for `timeout_s` at most, and gives the same object, whose
 * state is succeeded, failed or cancelled; `json` may be NULL. 0 checks once, a
 * negative number waits without limit. Errors: FLOWRRA_TIMEOUT, and the same. */
int flowrra_flow_wait(struct flowrra_client *client, const char *id,
		      double timeout_s, char **json,
		      struct flowrra_error *error);

/* --- queues, schedules and events -------------------------------------- */

/*
 * How the queues are, or one alone: a JSON array of objects with queue, waiting,
 * delayed, in_flight, dead, oldest_at, next_due_at, paused, set_aside and unknown,
 * as of `flowrractl queues --json`. flowrra_free() frees the text. Errors:
 * FLOWRRA_NOT_FOUND (a name that nobody has used), FLOWRRA_UNAVAILABLE.
 */
int flowrra_queues(struct flowrra_client *client, const char *name, char **json,
		   struct flowrra_error *error);

/* While a queue is paused, no worker takes tasks from it; those that run go on.
 * Errors: FLOWRRA_DATA (not a valid name), FLOWRRA_UNAVAILABLE. */
int flowrra_queue_pause(struct flowrra_client *client, const char *name,
			bool paused, struct flowrra_error *error);

/* Room for a schedule's id: 128 characters and a NUL. */
#define FLOWRRA_SCHEDULE_ID_SIZE 129

/*
 * All schedules, by id: a JSON array of the objects that `flowrractl schedule list
 * --json` shows. flowrra_free() frees the text. These calls ask the database of
 * [scheduler] database_url, and wait for it. Errors: FLOWRRA_UNAVAILABLE.
 */
int flowrra_schedules(struct flowrra_client *client, char **json,
		      struct flowrra_error *error);

/*
 * Makes a schedule, or finds the same one, as programs do each time they start.
 * `json` is an object with members of those that flowrra_schedules() gives: task,
 * type ("cron", "interval" or "once") and rule, and what else is wanted, for
 * example id, tz, args and queue. `id`, unless it is NULL, is its id.
 *
 * Errors: FLOWRRA_DATA (a bad value, or no worker has registered the task, and
 * "force": true is not given), FLOWRRA_REFUSED (there is another one with the id,
 * or it would not fire any more), FLOWRRA_UNAVAILABLE.
 */
int flowrra_schedule_create(struct flowrra_client *client, const char *json,
			    char id[FLOWRRA_SCHEDULE_ID_SIZE],
			    struct flowrra_error *error);

/* Errors of both: FLOWRRA_NOT_FOUND, FLOWRRA_UNAVAILABLE; to enable one that would
 * not fire any more: FLOWRRA_REFUSED. What a disabled schedule has missed is not
 * made up for. */
int flowrra_schedule_enable(struct flowrra_client *client, const char *id,
			    bool enabled, struct flowrra_error *error);
int flowrra_schedule_delete(struct flowrra_client *client, const char *id,
			    struct flowrra_error *error);

/* What flowrra_follow() tells; start from FLOWRRA_FOLLOW_OPTIONS_INIT. */
struct flowrra_follow_options {
	size_t size; /* sizeof(struct flowrra_follow_options) */
	/* Only events of these; NULL: of any. */
	const char *id, *task, *queue;
	bool whole; /* with whole records, which cost the workers up to half of
		       their speed */
	/* Called for each event: an object in one line, {"type": "task.update",
	 * "task": record}. Later versions may have other types. Not 0: it was the
	 * last. */
	int (*on_event)(const char *json, void *arg);
	/* From now on no event is missed. May be NULL. */
	void (*on_ready)(void *arg);
	/* Some may have been missed, and why. May be NULL. */
	void (*on_trouble)(const struct flowrra_error *why, void *arg);
	/* Asked several times a second whether to end. May be NULL. */
	bool (*stopped)(void *arg);
	void *arg;
};
#define FLOWRRA_FOLLOW_OPTIONS_INIT                                            \
	{                                                                      \
		FLOWRRA_MEMBER_(size, sizeof(struct flowrra_follow_options)),  \
		    FLOWRRA_MEMBER_(id, NULL), FLOWRRA_MEMBER_(task, NULL),    \
		    FLOWRRA_MEMBER_(queue, NULL),                              \
		    FLOWRRA_MEMBER_(whole, false),                             \
		    FLOWRRA_MEMBER_(on_event, NULL),                           \
		    FLOWRRA_MEMBER_(on_ready, NULL),                           \
		    FLOWRRA_MEMBER_(on_trouble, NULL),                         \
		    FLOWRRA_MEMBER_(stopped, NULL), FLOWRRA_MEMBER_(arg, NULL) \
	}

/*
 * Listens to what becomes of tasks, until on_event() or stopped() says so. It lasts
 * through outages of the server. The callbacks come within the call, and must not
 * use this client. One call at a time for each client. Errors:
 * FLOWRRA_UNAVAILABLE (at the beginning).
 */
int flowrra_follow(struct flowrra_client *client,
		   const struct flowrra_follow_options *options,
		   struct flowrra_error *error);

#ifdef __cplusplus
}
#endif

#endif
