/* SPDX-License-Identifier: MIT */
/*
 * The exporter: spans on their way to a file, or to a collector over HTTP.
 *
 * They are collected in memory and sent once a second, or when there are
 * EXPORTER_SPANS of them, as one ExportTraceServiceRequest. Nothing here waits: a
 * thread writes the file, libevent's client talks to the collector. While it is
 * slow or away, EXPORTER_BYTES are kept; what is beyond is dropped, and counted.
 * The log says when that begins and when it is over.
 *
 * It belongs to the loop's thread.
 */
#ifndef TRACE_EXPORTER_H
#define TRACE_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/span.h"

struct err;
struct event_base;
struct exporter;

#define EXPORTER_SPANS 512
#define EXPORTER_BYTES (4 << 20)

struct exporter_options {
	struct event_base *base;
	/* "file:/PATH", a line for each request, or "http://ADDRESS:PORT/PATH",
	 * of a number or localhost. Borrowed. */
	const char *where;
	struct span_resource resource; /* borrowed */
};
/* 0, or -1 with *err (ERR_CONFIG): `where` is neither. */
int exporter_check(const char *where, struct err *err);
/* NULL with *err: a wrong `where`, a file that cannot be opened, or no library. */
struct exporter *exporter_new(const struct exporter_options *options,
			      struct err *err);
/* Writes what is left to the file; to a collector nothing more is sent. The log says
 * how many spans are lost. */
void exporter_free(struct exporter *e);

/* Takes a span, or drops it. */
void exporter_add(struct exporter *e, const struct span *span);
/* Sends what there is. */
void exporter_flush(struct exporter *e);
/* Whether some have not arrived yet. */
bool exporter_is_busy(const struct exporter *e);
/* Opens the file again, as after it was renamed. */
void exporter_reopen(struct exporter *e);

struct exporter_counts {
	int64_t exported, dropped; /* spans */
};
/* The file, or the collector, has those that are exported. */
struct exporter_counts exporter_counts(const struct exporter *e);

#endif
