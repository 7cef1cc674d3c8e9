/* SPDX-License-Identifier: MIT */
/* A span: one attempt of a task, as OpenTelemetry sees it. */
#ifndef TRACE_SPAN_H
#define TRACE_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/trace_context.h"
#include "util/buf.h"

struct span {
	struct trace_context context; /* its own ids */
	/* What it is a child of; NULL: it is the root of its trace. */
	const char *parent_id; /* SPAN_ID_LEN digits */
	/* What it follows from in another trace; NULL: nothing. */
	const struct trace_context *link;
	struct slice tracestate;      /* may be empty */
	int64_t started_us, ended_us; /* wall clock */
	const char *queue, *task_id, *task;
	int64_t attempt;     /* from 1 on */
	const char *outcome; /* "succeeded", "failed" or "retried" */
	const char *error;   /* error.type; NULL: it has succeeded */
};

/* Appends it, a Span of OTLP as JSON. */
void span_write(const struct span *span, struct buf *out);
/* Appends what stands before the spans of one ExportTraceServiceRequest, and behind
 * them. */
struct span_resource {
	const char *service, *instance, *version;
};
void span_write_head(const struct span_resource *resource, struct buf *out);
void span_write_end(struct buf *out);

#endif
