/* SPDX-License-Identifier: MIT */
/*
 * Spans as OTLP/JSON (OpenTelemetry Protocol 1.x, JSON Protobuf encoding): ids are
 * hexadecimal, 64-bit numbers are strings, enums are numbers.
 *
 * Names of attributes are those of the semantic conventions for messaging, as far
 * as these have one. No arguments and no texts of errors: a collector is another
 * program, of people who may not see them.
 */
#include "trace/span.h"

#include <inttypes.h>

#include "codec/scan.h"

/* SpanKind and StatusCode of the protocol. */
#define KIND_CONSUMER 5
#define STATUS_OK 1
#define STATUS_ERROR 2

/* --- attributes -------------------------------------------------------- */

/* A string; the keys are ours. */
static void
write_text(struct buf *out, const char *comma, const char *key,
	   const char *value)
{
	buf_addf(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", comma,
		 key);
	scan_quote(out, slice_of(value));
	buf_adds(out, "}}");
}

static void
write_attributes(const struct span *s, struct buf *out)
{
	buf_adds(out, ",\"attributes\":[");
	write_text(out, "", "messaging.system", "flowrra");
	write_text(out, ",", "messaging.operation.type", "process");
	write_text(out, ",", "messaging.operation.name", "process");
	write_text(out, ",", "messaging.destination.name", s->queue);
	write_text(out, ",", "messaging.message.id", s->task_id);
	write_text(out, ",", "flowrra.task", s->task);
	buf_addf(out,
		 ",{\"key\":\"flowrra.attempt\",\"value\":{\"intValue\":"
		 "\"%" PRId64 "\"}}",
		 s->attempt);
	write_text(out, ",", "flowrra.outcome", s->outcome);
	if (s->error != NULL)
		write_text(out, ",", "error.type", s->error);
	buf_addc(out, ']');
}

/* --- a span ------------------------------------------------------------ */

/* Digits, as they came or were made: they need no escapes. */
static void
write_ids(const struct span *s, struct buf *out)
{
	buf_addf(out, "{\"traceId\":\"%.*s\",\"spanId\":\"%.*s\"", TRACE_ID_LEN,
		 s->context.trace_id, SPAN_ID_LEN, s->context.span_id);
	if (s->parent_id != NULL)
		buf_addf(out, ",\"parentSpanId\":\"%.*s\"", SPAN_ID_LEN,
			 s->parent_id);
	if (s->tracestate.len > 0) {
		buf_adds(out, ",\"traceState\":");
		scan_quote(out, s->tracestate);
	}
}

/* A clock that was set back meanwhile must not make a span that ends before it
 * begins: collectors drop such. */
void
span_write(const struct span *s, struct buf *out)
{
	const int64_t ended_us =
	    s->ended_us < s->started_us ? s->started_us : s->ended_us;

	write_ids(s, out);
	buf_adds(out, ",\"name\":");
	buf_adds(out, "\"process ");
	/* A name of a queue needs no escapes. */
	buf_adds(out, s->queue);
	buf_addf(out,
		 "\",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64
		 "000\",\"endTimeUnixNano\":\"%" PRId64 "000\"",
		 KIND_CONSUMER, s->started_us, ended_us);
	write_attributes(s, out);
	if (s->link != NULL)
		buf_addf(out,
			 ",\"links\":[{\"traceId\":\"%.*s\",\"spanId\":"
			 "\"%.*s\"}]",
			 TRACE_ID_LEN, s->link->trace_id, SPAN_ID_LEN,
			 s->link->span_id);
	buf_addf(out, ",\"status\":{\"code\":%d}}",
		 s->error == NULL ? STATUS_OK : STATUS_ERROR);
}

/* --- what is around them ----------------------------------------------- */

void
span_write_head(const struct span_resource *r, struct buf *out)
{
	buf_adds(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	write_text(out, "", "service.name", r->service);
	write_text(out, ",", "service.instance.id", r->instance);
	write_text(out, ",", "service.version", r->version);
	buf_adds(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"flowrra\"},"
		      "\"spans\":[");
}

void
span_write_end(struct buf *out)
{
	buf_adds(out, "]}]}]}");
}
