/* SPDX-License-Identifier: MIT */
/*
 * Frames between flowrrad and an executor, over a stream socket pair.
 *
 * A frame is a struct ipc_header, the fixed part that messages.def names for
 * its type, and what follows it. Numbers are in host order: both ends are
 * built together and run on one machine; HELLO carries IPC_VERSION and a
 * mismatch ends the executor. A frame larger than IPC_FRAME_MAX, of an unknown
 * type, in the wrong direction, shorter than its fixed part, or with bytes
 * that its type does not allow is an error and the channel is of no use after.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <stdint.h>
#include <sys/types.h>

#include "util/buf.h"

struct err;

/* Raised by every change of messages.def or of a struct below, so that a mixed
 * installation is told apart from a broken one. */
#define IPC_VERSION 10u
/* Twice the largest task or result that can be configured. A larger frame means
 * that the other side is broken. */
#define IPC_FRAME_MAX (64u << 20)

/* Descriptors that an executor finds open when it starts. */
#define IPC_FD 3       /* the socket for frames */
#define IPC_CRASH_FD 4 /* a pipe for one struct ipc_last_words */
/* How an executor exits that could not come up for want of processes or
 * threads; EX_TEMPFAIL of sysexits.h. It says nothing itself. */
#define IPC_EXIT_SHORT 75

struct ipc_header {
	uint32_t size; /* of the whole frame, this header included */
	uint32_t type; /* enum ipc_type */
	uint32_t task; /* the task's number, chosen by flowrrad; else 0 */
};

enum ipc_direction { IPC_TO_EXECUTOR, IPC_TO_DAEMON };

struct ipc_none {
	char nothing[0];
};

struct ipc_hello {
	uint32_t version; /* IPC_VERSION */
	int32_t pid;
};

/*
 * INIT carries {"modules": ["/abs/path.so", …], "config": {…}}, where `config`
 * (optional) has for the name of a module an object that is handed to it, and
 * says what to be. READY answers with {"tasks": [{"name", "cpu_bound", "async",
 * "queue", "max_retries", "retry_delay", "retry_backoff", "retry_delay_max",
 * "retry_jitter", "timeout", "description", "module", "params"},
 * …], "refused": [{"module", "error"}, …]}; a number that the module leaves to
 * the configuration is null, and params are left out where it has none.
 */
struct ipc_init {
	uint32_t version;      /* IPC_VERSION */
	uint32_t threads;      /* handlers that run at the same time */
	uint32_t asynchronous; /* whether to run an event loop for handlers */
	uint32_t max_result;   /* bytes; a larger result fails its task */
};

/* Followed by id, name, args, kwargs, traceparent, tracestate and flow, in this order;
 * args and kwargs are JSON, the last two may be empty (core/trace_context.h). */
struct ipc_run {
	int64_t timeout_us;    /* soft limit, counted from the start; 0: none */
	uint32_t attempt;      /* 1 for the first */
	uint32_t max_attempts; /* 0: without limit */
	uint32_t id_len;
	uint32_t name_len;
	uint32_t args_len;
	uint32_t kwargs_len;
	uint32_t traceparent_len;
	uint32_t tracestate_len;
	uint32_t flow_len;
};

/* Sent only for a task that has run for IPC_STARTED_AFTER_MS. A shorter one has
 * its start in DONE, and so costs one message, not two. */
#define IPC_STARTED_AFTER_MS 5
struct ipc_started {
	int64_t started_us; /* wall clock */
};

enum ipc_outcome {
	IPC_SUCCESS,	  /* what follows is the result, JSON */
	IPC_FAILED,	  /* what follows is the error's text */
	IPC_FAILED_FINAL, /* the same; the handler asks for no retry */
	/* What ran it outside of the executor has died, and perhaps other tasks
	 * with it: whose doing that was is not known. An error's text, too. */
	IPC_LOST
};

struct ipc_done {
	int64_t started_us;  /* wall clock */
	int64_t finished_us; /* wall clock */
	int64_t ran_us;	     /* monotonic clock */
	uint32_t outcome;    /* enum ipc_outcome */
	uint32_t limited;    /* 1: it was told to end (cancel, soft timeout) */
	/* Of a task that ran a command: how that ended, and how many bytes of its
	 * output are not in the result. */
	int32_t exited; /* 1 + its exit code; 0: it has none */
	int32_t signal; /* what killed it; 0: none */
	int64_t truncated;
};

struct ipc_log {
	uint32_t level; /* enum log_level */
};

/*
 * The task's JSON as a producer would send it: `id`, `name`, `args` and
 * `kwargs` are set, and of `queue`, `priority`, `max_retries`, `retry_delay`
 * and `timeout` those that the handler chose. `delay` (seconds) is there
 * besides if the task is to wait.
 */
struct ipc_submit {
	uint32_t request; /* comes back in SUBMITTED */
};

/* One task of a wait, which has `n`, each with an AWAIT of its own; the first that has
 * ended, or that fails, is answered, and no other. The wait is known by the request
 * of its first task. */
struct ipc_await {
	int64_t timeout_us; /* less than 0: none */
	uint32_t request;   /* comes back in SUBMITTED */
	uint32_t wait;
	uint32_t n;
	uint32_t now; /* 1: answer with the record as it is */
};

struct ipc_forget {
	uint32_t wait;
};

struct ipc_signal {
	int32_t signal; /* 1 to 31: as kill(2) has it */
};

struct ipc_submitted {
	uint32_t request;
	int32_t code; /* enum err_code; the text is the error's message */
};

/* Counted in PINGs, not in time: a machine or a container that was frozen as a
 * whole has missed no PING. */
struct ipc_pong {
	uint32_t missed; /* PINGs before this one that the loop did not take */
};

/* What the thread that dies was for. */
enum ipc_thread {
	IPC_THREAD_ANY, /* blocking handlers, the executor's own, a module's */
	IPC_THREAD_LOOP /* asynchronous handlers and their callbacks */
};

/*
 * Written to IPC_CRASH_FD, in one write of less than PIPE_BUF, by the thread
 * that is about to die. `signal` is 0 when a handler called exit(), and
 * `status` is then what it called it with, -1 if that is not known.
 */
struct ipc_last_words {
	uint32_t task; /* 0: no task was running on that thread */
	int32_t signal;
	int32_t status;
	uint32_t thread; /* enum ipc_thread */
};

enum ipc_type {
#define IPC_MESSAGE(name, number, direction, fixed, rest) IPC_##name = (number),
#include "ipc/messages.def"
#undef IPC_MESSAGE
};

/* The name in messages.def, or "?". */
const char *ipc_name(uint32_t type);

/*
 * Appends one frame to `out`. `fixed` is the fixed part of the type; the
 * `n_rest` slices follow it. A frame over IPC_FRAME_MAX marks `out` failed.
 */
void ipc_put(struct buf *out, enum ipc_type type, uint32_t task,
	     const void *fixed, const struct slice *rest, size_t n_rest);

/* A frame that was read; it points into the reader's bytes. */
struct ipc_message {
	enum ipc_type type;
	uint32_t task;
	const void *fixed; /* aligned copy or place; see ipc_parse() */
	struct slice rest;
};

/*
 * Reads the frame at the beginning of `bytes`, which come from the side that
 * sends in `direction`. Returns the frame's size, 0 when more bytes are needed
 * (*ret_need is then how many there must be in all), or -1 with *err.
 * ret->fixed points to a copy in `scratch`, so that it is aligned.
 */
union ipc_fixed {
	struct ipc_none none;
	struct ipc_hello hello;
	struct ipc_init init;
	struct ipc_run run;
	struct ipc_started started;
	struct ipc_done done;
	struct ipc_log log;
	struct ipc_submit submit;
	struct ipc_await await;
	struct ipc_forget forget;
	struct ipc_submitted submitted;
	struct ipc_pong pong;
	struct ipc_signal signal;
};
ssize_t ipc_parse(struct slice bytes, enum ipc_direction direction,
		  union ipc_fixed *scratch, struct ipc_message *ret,
		  size_t *ret_need, struct err *err);

/* Cuts the rest of a RUN message into its seven parts; -1 if they do not add
 * up to it. */
struct ipc_run_parts {
	struct slice id, name, args, kwargs, traceparent, tracestate, flow;
};
int ipc_run_parts(const struct ipc_message *run, struct ipc_run_parts *ret,
		  struct err *err);

/* One end of the channel, with its unread and its unsent bytes. */
struct ipc_channel {
	int fd;
	enum ipc_direction incoming;
	struct buf in;
	size_t in_pos; /* how much of `in` has been parsed */
	struct buf out;
	size_t out_pos; /* how much of `out` has been sent */
	union ipc_fixed fixed;
};

void ipc_channel_init(struct ipc_channel *c, int fd,
		      enum ipc_direction incoming);
/* Closes the descriptor and frees the bytes. */
void ipc_channel_done(struct ipc_channel *c);

/*
 * Reads what is there without waiting, at most about 1 MiB a call. Returns 1
 * if anything was read, 0 if nothing was there, -1 with *err on an error;
 * end of file is ERR_UNAVAILABLE.
 */
int ipc_channel_read(struct ipc_channel *c, struct err *err);
/* The same, but waits until there is something. */
int ipc_channel_wait(struct ipc_channel *c, struct err *err);

/*
 * The next whole frame among what was read: 1 and *ret, which is good until
 * the next call on this channel's reading side; 0 if there is none; -1 with
 * *err if the bytes are not a frame.
 */
int ipc_channel_next(struct ipc_channel *c, struct ipc_message *ret,
		     struct err *err);

/* Writes what ipc_put() has put into c->out, as far as the socket takes it.
 * Returns 1 when all is written, 0 when some is left, -1 with *err. */
int ipc_channel_flush(struct ipc_channel *c, struct err *err);

#endif
