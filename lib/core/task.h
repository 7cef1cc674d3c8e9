/* SPDX-License-Identifier: MIT */
/*
 * A task: a named request with arguments and an id, and how it is retried.
 *
 * The record travels as JSON (codec/task_json.h). Fields that this version
 * does not know stay in `raw` and survive retries.
 */
#ifndef CORE_TASK_H
#define CORE_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/unique.h"
#include "util/buf.h"
#include "util/name.h"

struct conf_executor;

#define TASK_ID_MAX 200 /* bytes: printable ASCII without spaces */
#define TASK_NAME_MAX NAME_TASK_MAX
#define TASK_QUEUE_MAX NAME_QUEUE_MAX
#define TASK_REPLY_MAX 64  /* bytes: [A-Za-z0-9_.-] */
#define TASK_FLOW_MAX 64   /* the same */
#define TASK_DEPTH_MAX 500 /* arrays and objects inside one another */
/* The longest delay or timeout: ten years. */
#define TASK_DURATION_MAX_S 316224000
#define TASK_DURATION_MAX_US (INT64_C(1000000) * TASK_DURATION_MAX_S)
#define TASK_RETRIES_MAX 1000000
#define TASK_BACKOFF_MAX 1000

/* How long to wait before a retry; see retry_delay_us(). */
struct retry_policy {
	int64_t delay_us;
	double backoff;	      /* each delay is this many times the one before */
	int64_t delay_max_us; /* 0: no limit */
	double jitter;	      /* 0 to 1: the part of the delay left to chance */
};

/* A number that the task leaves to its module, then to the configuration. */
#define TASK_UNSET (-1)

/*
 * What a module, the registry or a schedule says of its tasks: the rows
 * TASK_SETTING of core/task_options.def. Each may be TASK_UNSET.
 */
struct task_settings {
	int64_t max_retries;
	struct retry_policy retry;
	int64_t timeout_us; /* 0: none */
};
#define TASK_SETTINGS_UNSET                                                    \
	{                                                                      \
		.max_retries = TASK_UNSET,                                     \
		.retry = {.delay_us = TASK_UNSET,                              \
			  .backoff = TASK_UNSET,                               \
			  .delay_max_us = TASK_UNSET,                          \
			  .jitter = TASK_UNSET},                               \
		.timeout_us = TASK_UNSET,                                      \
	}

struct task {
	struct slice raw; /* the bytes as they came */
	const char *id;
	const char *name;
	const char *queue; /* NULL: not given */
	const char *group; /* NULL: none (core/limit.h) */
	/* The key of one that is unique until it starts or ends; these two are
	 * written, and left in `raw` when it is decoded. */
	const char *unique;
	enum unique_until unique_until;
	struct slice args;   /* a JSON array */
	struct slice kwargs; /* a JSON object */
	int32_t priority;    /* a lower number runs first */
	bool cpu_bound;
	int64_t max_retries;	   /* or TASK_UNSET */
	struct retry_policy retry; /* members may be TASK_UNSET */
	int64_t current_retry;	   /* retries before this attempt */
	int64_t timeout_us;	   /* TASK_UNSET: not given; 0: none */
	int64_t submitted_us;	   /* wall clock; 0: not given */
	int64_t expires_us;	   /* wall clock; 0: never */
	int64_t crashes;	   /* attempts that took their process down */
	int64_t suspected;	   /* times it was among those that ran when a
				      process died and nobody knew whose fault */
	int64_t unknown;	   /* times no worker knew its name */
	int64_t unknown_since;	   /* the first of them, in s since 1970 */
	int64_t due_ms; /* when it was to run, if not at once: of a delay or a
			   retry, by the clock of who set it; ms since 1970 */
	struct slice history;  /* of attempts; empty: none */
	struct slice reply_to; /* see results_reply_to(); empty: none */
	/* core/trace_context.h: what its producer is part of; empty: nothing, or
	 * what is not valid. No tracestate without a traceparent. */
	struct slice traceparent, tracestate;
	/* The IDs of the task that submitted it and of the one that that began with,
	 * as JSON strings; empty: neither. Only workers say this (dispatch/submit.c). */
	struct slice parent, root;
	/* What it follows from in another trace, such as the making of its
	 * schedule: its own trace begins with it. Empty: nothing, as above. */
	struct slice trace_link;
	struct slice flow; /* the workflow that it is a step of; empty: none */
	struct slice
	    on; /* of a callback of that: after which end; empty: it is none */
	/* Why it is not to run, since a step before it has not ended as it had to: a
	 * JSON string; empty: it is. */
	struct slice skipped;
};

/* As name_valid(), which is to be preferred, with name_check_task() and
 * name_check_queue() where there is an error to set. */
bool task_name_valid(struct slice text, size_t max);
/* Whether text is 1 to TASK_ID_MAX bytes of printable ASCII, no space. */
bool task_id_valid(struct slice text);

/*
 * Fills in what the task leaves TASK_UNSET: by what is registered of it, then,
 * for max_retries and retry_delay, by the configuration. What none of them says
 * stays unset: a submission leaves it out, since the worker knows its modules.
 */
void task_resolve(struct task *task, const struct task_settings *registered,
		  const struct conf_executor *conf);
/* Fills in the standards of core/task_options.def for what is left: a task that
 * is about to run. */
void task_set_standards(struct task *task);

/*
 * Microseconds to wait before retry number `retry` (1 for the first):
 * delay × backoff^(retry-1), at most delay_max, of which the part `jitter` is
 * multiplied with `chance` (0 to 1, uniform). Never negative, never more than
 * TASK_DURATION_MAX_US. Members that are TASK_UNSET count as no delay, a
 * backoff of 1, no limit, and no jitter.
 */
int64_t retry_delay_us(const struct retry_policy *policy, int64_t retry,
		       double chance);

#endif
