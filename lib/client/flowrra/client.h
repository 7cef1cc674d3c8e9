/* SPDX-License-Identifier: MIT */
/*
 * flowrra/client.h: submit tasks to Flowrra and wait for their results, in C.
 *
 *	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
 *	struct flowrra_client *client;
 *	struct flowrra_record *record;
 *	struct flowrra_error error;
 *	char id[FLOWRRA_ID_SIZE];
 *
 *	if (flowrra_open(NULL, &client, &error) != 0)
 *		errx(1, "%s", error.message);
 *	request.name = "add";
 *	request.args = "[2, 3]";
 *	if (flowrra_call(client, &request, 30, id, &record, &error) != 0)
 *		errx(1, "%s", error.message);
 *	puts(record->state == FLOWRRA_SUCCESS ? record->result
 *					      : record->error);
 *	flowrra_record_free(record);
 *	flowrra_close(client);
 *
 * Build it with
 *	cc sums.c $(pkg-config --cflags --libs flowrra)
 *
 * Functions that can fail return 0, or -1 with *error filled; `error` may be
 * NULL. JSON goes in and out as UTF-8 text that ends in a NUL.
 *
 * A client may be used by any number of threads at the same time; a thread
 * that waits holds up no other. The library starts no threads, installs no
 * signal handlers and has no global state. It makes sure that a connection
 * that breaks raises no SIGPIPE.
 *
 * After fork() the client belongs to the parent alone: in the child every
 * function fails with FLOWRRA_USAGE, but for flowrra_close(), which does not
 * touch the parent's connections. Open another client there.
 */
#ifndef FLOWRRA_CLIENT_H
#define FLOWRRA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong. The numbers never change: they are the exit codes of
 * flowrractl(1) as well. */
enum flowrra_code {
	FLOWRRA_OK = 0,
	FLOWRRA_TASK_FAILED = 1,  /* only flowrractl says so */
	FLOWRRA_NOT_FOUND = 2,	  /* no record of the id, or none any more */
	FLOWRRA_TIMEOUT = 3,	  /* waited too long */
	FLOWRRA_USAGE = 64,	  /* the call itself is wrong */
	FLOWRRA_DATA = 65,	  /* a bad value; an unknown task */
	FLOWRRA_UNAVAILABLE = 69, /* out of reach, or a server without memory */
	FLOWRRA_INTERNAL = 70,	  /* a defect */
	FLOWRRA_SYSTEM = 71,	  /* no memory, no descriptors */
	FLOWRRA_FULL = 75,	  /* the queue has reached its limit */
	FLOWRRA_REFUSED = 77,	  /* wrong password; an id that is taken; a
				     task that has finished */
	FLOWRRA_CONFIG = 78	  /* the configuration is wrong */
};

struct flowrra_error {
	int code;	   /* enum flowrra_code */
	char message[512]; /* one line, for a person; never holds a secret */
};

/* The version of the library: "0.1.0". */
const char *flowrra_version(void);

/* --- opening ----------------------------------------------------------- */

struct flowrra_client;

/*
 * Options begin with their size, so that later versions can add members;
 * always start from FLOWRRA_OPTIONS_INIT. NULL everywhere is fine.
 */
struct flowrra_options {
	size_t size;
	const char *config_file;     /* NULL: the standard places */
	const char *const *settings; /* "section.key=value", NULL at the end */
	const char *broker_url;	     /* instead of the configured one */
	const char *backend_url;     /* "": where the queues are */
};
#define FLOWRRA_OPTIONS_INIT                                                   \
	{                                                                      \
		sizeof(struct flowrra_options), NULL, NULL, NULL, NULL         \
	}

/*
 * Reads the configuration (flowrra.conf and the environment, as flowrractl
 * does) and makes a client. Connections are made when they are needed, so the
 * servers may be out of reach now. `options` may be NULL; nothing of it is
 * kept. Errors: FLOWRRA_CONFIG, FLOWRRA_SYSTEM.
 */
int flowrra_open(const struct flowrra_options *options,
		 struct flowrra_client **client, struct flowrra_error *error);

/*
 * Closes the connections. No other call may be under way, all batches must be
 * freed. Records stay good. NULL is allowed.
 */
void flowrra_close(struct flowrra_client *client);

/* --- submitting -------------------------------------------------------- */

/* 200 characters and a NUL; the ids that the library makes have 36. */
#define FLOWRRA_ID_SIZE 201

/* A number that the request leaves to the task's module or configuration. */
#define FLOWRRA_UNSET (-1)

/*
 * One task to run; always start from FLOWRRA_REQUEST_INIT. Only `name` must be
 * set.
 */
struct flowrra_request {
	size_t size;
	const char *name;   /* as a worker has registered it */
	const char *args;   /* a JSON array; NULL: [] */
	const char *kwargs; /* a JSON object; NULL: {} */
	const char *id;	    /* 1 to 200 printable ASCII characters without
			       spaces; refused if there is a record of it;
			       NULL: a fresh UUID */
	const char *queue;  /* NULL: the task's own */
	int priority;	    /* a lower number runs first; the default is 0 */
	int max_retries;    /* 0 to 1000000 */
	double delay_s;	    /* run it so many seconds from now, whatever the
			       clock is set to meanwhile … */
	int64_t at_us; /* … or then, by the broker's clock: µs since 1970,
			  UTC; 0: not given */
	int64_t expires_us;   /* not to be begun after this time; 0: never */
	double timeout_s;     /* of one attempt; 0: none */
	double retry_delay_s; /* wait before a retry … */
	double retry_backoff; /* … each so many times the one before … */
	double retry_delay_max_s; /* … but at most this; 0: no limit */
	double retry_jitter; /* 0 to 1: the part of a delay left to chance */
	int cpu_bound;	     /* 0 or 1; FLOWRRA_UNSET: as registered */
	bool force;	     /* do not ask what is registered; needs `queue` */
	/*
	 * A key, 1 to 1024 bytes: of several submissions to a queue with the
	 * same key, within unique_ttl_s seconds (an hour), only the first is
	 * queued. The others give its id, and count as queued.
	 */
	const char *unique;
	double unique_ttl_s;
};
#define FLOWRRA_REQUEST_INIT                                                   \
	{                                                                      \
		sizeof(struct flowrra_request), NULL, NULL, NULL, NULL, NULL,  \
		    0, FLOWRRA_UNSET, 0, 0, 0, FLOWRRA_UNSET, FLOWRRA_UNSET,   \
		    FLOWRRA_UNSET, FLOWRRA_UNSET, FLOWRRA_UNSET,               \
		    FLOWRRA_UNSET, false, NULL, FLOWRRA_UNSET                  \
	}

/*
 * Puts a task into its queue. 0 means that the broker has it; `id` (may be
 * NULL) then holds its id.
 *
 * FLOWRRA_DATA: a bad value, or a name that no worker has registered (the
 * message lists close names; where there has never been a worker, one is
 * awaited for two seconds). FLOWRRA_FULL: the queue's limit.
 * FLOWRRA_REFUSED: the id is taken, or the server does not let us in.
 * FLOWRRA_UNAVAILABLE: out of reach within socket_timeout, or the server has
 * no memory left; the message says if the task may have been queued all the
 * same. A submission is never sent twice.
 */
int flowrra_submit(struct flowrra_client *client,
		   const struct flowrra_request *request,
		   char id[FLOWRRA_ID_SIZE], struct flowrra_error *error);

/*
 * Many tasks in one message. Fill one batch while another is under way and
 * the broker never waits; some hundred tasks a batch are a good size. A batch
 * belongs to one thread at a time.
 *
 * flowrra_batch_add() checks and encodes a request, of which nothing is kept;
 * if it fails, the batch stays as it was. flowrra_batch_send() returns at
 * once. flowrra_batch_wait() returns when each task has its answer, and is -1
 * only if the batch was not sent. Then flowrra_batch_answer() is 0 for a task
 * that is queued, and else says why it is not, as flowrra_submit() does.
 * flowrra_batch_reset() makes the batch empty, to be filled again, and waits
 * for a batch that is under way; so does flowrra_batch_free().
 */
struct flowrra_batch;
int flowrra_batch_new(struct flowrra_client *client,
		      struct flowrra_batch **batch,
		      struct flowrra_error *error);
void flowrra_batch_free(struct flowrra_batch *batch);
void flowrra_batch_reset(struct flowrra_batch *batch);
int flowrra_batch_add(struct flowrra_batch *batch,
		      const struct flowrra_request *request,
		      struct flowrra_error *error);
size_t flowrra_batch_count(const struct flowrra_batch *batch);
/* Bytes of the tasks that were added, for those who bound their memory. */
size_t flowrra_batch_bytes(const struct flowrra_batch *batch);
int flowrra_batch_send(struct flowrra_batch *batch,
		       struct flowrra_error *error);
int flowrra_batch_wait(struct flowrra_batch *batch,
		       struct flowrra_error *error);
/* The id of task `i`, 0 for the first; good until the batch is reset. */
const char *flowrra_batch_id(const struct flowrra_batch *batch, size_t i);
int flowrra_batch_answer(const struct flowrra_batch *batch, size_t i,
			 struct flowrra_error *error);

/* --- results ----------------------------------------------------------- */

enum flowrra_state {
	FLOWRRA_PENDING,
	FLOWRRA_RUNNING,
	FLOWRRA_SUCCESS, /* final */
	FLOWRRA_FAILED,	 /* final */
	FLOWRRA_RETRYING /* waits for its next attempt */
};
/* "pending", … */
const char *flowrra_state_text(int state);

/*
 * What became of a task. The library makes it, and later versions may add
 * members at its end. Texts are NULL, and times (µs since 1970, UTC) and counts
 * 0, where the record has none. Free it with flowrra_record_free().
 */
struct flowrra_record {
	const char *json; /* the whole record, as it is stored */
	int state;	  /* enum flowrra_state */
	const char *id;
	const char *name;
	const char *result;   /* JSON; "null" too */
	const char *error;    /* text: why it failed */
	const char *reason;   /* cancelled, expired, timeout, crashed, … */
	const char *progress; /* JSON: what the task shows */
	const char *args;     /* JSON */
	const char *kwargs;   /* JSON */
	const char *queue;
	const char *worker;
	int64_t attempts; /* that were begun */
	int64_t retries;
	int64_t submitted_us;
	int64_t started_us;
	int64_t finished_us;
};
void flowrra_record_free(struct flowrra_record *record);

/* Fetches a record as it is now. FLOWRRA_NOT_FOUND if there is none. */
int flowrra_result(struct flowrra_client *client, const char *id,
		   struct flowrra_record **record, struct flowrra_error *error);

/*
 * Waits until a task has finished, well or badly, at most `timeout_s` seconds
 * (0: takes one look; < 0: as long as it takes). Lasts through outages of the
 * server.
 *
 * FLOWRRA_NOT_FOUND at once if there is no record. FLOWRRA_TIMEOUT.
 * FLOWRRA_UNAVAILABLE if the server was out of reach at the beginning for
 * socket_timeout, or is when the time is over.
 */
int flowrra_wait(struct flowrra_client *client, const char *id,
		 double timeout_s, struct flowrra_record **record,
		 struct flowrra_error *error);

enum flowrra_wait_mode {
	FLOWRRA_WAIT_ALL,
	FLOWRRA_WAIT_ANY /* at least one */
};

/*
 * The same for `n` tasks. records[i] becomes the record of ids[i] if that task
 * has finished, else NULL; also when the call fails, after a timeout, say. With
 * FLOWRRA_WAIT_ALL an id without a record is an error, with FLOWRRA_WAIT_ANY
 * only if there is no other.
 */
int flowrra_wait_many(struct flowrra_client *client, const char *const *ids,
		      size_t n, int mode, double timeout_s,
		      struct flowrra_record **records,
		      struct flowrra_error *error);

/*
 * Submits a task and waits for its record: flowrra_submit() and flowrra_wait()
 * in one, and sooner, since the worker sends the record of a short task
 * straight to this client (where the results live in Redis).
 *
 * 0: the task has finished, well or badly. Else the errors of both, and `id`
 * (may be NULL) is empty if the task was not queued; if it was, it can be
 * waited for once more. `timeout_s` counts from when it is queued.
 */
int flowrra_call(struct flowrra_client *client,
		 const struct flowrra_request *request, double timeout_s,
		 char id[FLOWRRA_ID_SIZE], struct flowrra_record **record,
		 struct flowrra_error *error);

/* --- tasks and workers ------------------------------------------------- */

/*
 * What the workers have registered under a name: a JSON object with queue,
 * cpu_bound, max_retries, retry_delay, retry_backoff, retry_delay_max,
 * retry_jitter, timeout and description (null: as configured); free it with
 * flowrra_free(). FLOWRRA_NOT_FOUND, with close names in the message.
 */
int flowrra_registered(struct flowrra_client *client, const char *name,
		       char **json, struct flowrra_error *error);
/* All names, sorted: a JSON array of strings; flowrra_free() it. */
int flowrra_registered_names(struct flowrra_client *client, char **json,
			     struct flowrra_error *error);
void flowrra_free(void *json);

/*
 * Asks the workers to cancel a task that has not finished. 0 means that the
 * order was sent: wait for the record to see what came of it. Only a worker
 * that has the task, or takes it within a few seconds, follows the order: a
 * task that waits longer, or is delayed, runs all the same. `flowrractl cancel`
 * takes such a one out of its queue.
 * FLOWRRA_NOT_FOUND: there is no record. FLOWRRA_REFUSED: it has finished.
 */
int flowrra_cancel(struct flowrra_client *client, const char *id,
		   struct flowrra_error *error);

#ifdef __cplusplus
}
#endif

#endif
