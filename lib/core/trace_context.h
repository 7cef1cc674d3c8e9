/* SPDX-License-Identifier: MIT */
/*
 * Trace Context (W3C Recommendation): which trace a task is part of, and what it
 * follows from. "00-TRACE ID-PARENT ID-FLAGS", in lower-case hexadecimal digits;
 * beside it, tracestate has what vendors want to know.
 *
 * Both come from producers: what is not valid counts as absent.
 */
#ifndef CORE_TRACE_CONTEXT_H
#define CORE_TRACE_CONTEXT_H

#include <stdbool.h>

#include "util/buf.h"

struct err;

/* Of version 00; those of later ones may be longer. */
#define TRACEPARENT_LEN 55
#define TRACEPARENT_MAX 200
#define TRACESTATE_MAX 512
#define TRACE_ID_LEN 32
#define SPAN_ID_LEN 16
/* The room for a traceparent of ours, and its NUL. */
#define TRACEPARENT_SIZE (TRACEPARENT_LEN + 1)

/* Digits without a NUL. */
struct trace_context {
	char trace_id[TRACE_ID_LEN];
	char span_id[SPAN_ID_LEN]; /* of the parent, to who receives it */
	bool sampled;
};

/* False: it is not valid. Later versions are read as far as they are the same. */
bool trace_context_read(struct slice text, struct trace_context *ret);
/* The same of what somebody has typed. ERR_DATA, with what it must be. */
int traceparent_check(const char *text, struct err *err);
/* Of version 00, and a NUL. */
void trace_context_write(const struct trace_context *c,
			 char text[TRACEPARENT_SIZE]);
/* Random digits, which are not all 0. */
void trace_make_trace_id(char id[TRACE_ID_LEN]);
void trace_make_span_id(char id[SPAN_ID_LEN]);

/* A list of key=value, at most 32 and TRACESTATE_MAX bytes. */
bool tracestate_valid(struct slice text);

#endif
