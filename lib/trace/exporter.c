/* SPDX-License-Identifier: MIT */
/*
 * The exporter: collects spans, sends them in batches, and tries again.
 *
 * One batch is under way at a time, and stays as it is until it is done or refused:
 * a collector that answers too late may have it twice, and knows spans by their
 * ids.
 */
#include "trace/exporter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace/sink.h"
#include "util/err.h"
#include "util/log.h"
#include "util/timer.h"

/* What a kill may lose. */
#define SEND_MS 1000
/* Between two attempts of a batch: a collector that is restarted is back in
 * seconds; one that is gone costs a connection each half minute. */
#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 30000

struct exporter {
	struct exporter_options opt;
	const struct sink_kind *kind;
	struct sink *sink;
	struct timer *timer; /* the next batch, or the next attempt */
	struct buf spans;    /* with commas between */
	int64_t n;
	struct buf batch; /* under way */
	int64_t batch_n;  /* 0: none is */
	bool sending;	  /* the sink has it; else it waits for the timer */
	int64_t again_ms; /* before the next attempt */
	bool troubled;	  /* the log knows */
	bool dropping;	  /* the same */
	struct exporter_counts counts;
};

/* --- where ------------------------------------------------------------- */

static const struct {
	const char *scheme;
	const struct sink_kind *kind;
} schemes[] = {{"file:", &sink_file}, {"http://", &sink_http}};

/* NULL with *err; *ret_rest is what follows the scheme. */
static const struct sink_kind *
exporter_kind(const char *where, const char **ret_rest, struct err *err)
{
	size_t i, len;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		len = strlen(schemes[i].scheme);
		if (strncmp(where, schemes[i].scheme, len) == 0) {
			*ret_rest = where + len;
			return schemes[i].kind;
		}
	}
	err_set(err, ERR_CONFIG,
		"[trace] export: \"%.64s\" is not file:/PATH or "
		"http://ADDRESS:PORT/PATH",
		where);
	return NULL;
}

int
exporter_check(const char *where, struct err *err)
{
	const char *rest;
	const struct sink_kind *kind = exporter_kind(where, &rest, err);

	return kind != NULL ? kind->check(rest, err) : -1;
}

/* --- batches ----------------------------------------------------------- */

static void
exporter_send(struct exporter *e)
{
	e->sending = true;
	e->kind->send(e->sink, (struct slice){e->batch.data, e->batch.len});
}

/* Makes a batch of what was collected. Without memory it is dropped: there are more
 * important things to keep. */
static void
exporter_begin_batch(struct exporter *e)
{
	buf_reset(&e->batch);
	span_write_head(&e->opt.resource, &e->batch);
	buf_add(&e->batch, e->spans.data, e->spans.len);
	span_write_end(&e->batch);
	if (e->batch.failed || e->spans.failed) {
		e->counts.dropped += e->n;
	} else {
		e->batch_n = e->n;
		exporter_send(e);
	}
	buf_reset(&e->spans);
	e->n = 0;
}

/* A batch that waits for its next attempt goes first. */
void
exporter_flush(struct exporter *e)
{
	if (e->sending || e->batch_n > 0)
		return;
	timer_cancel(e->timer);
	if (e->n > 0)
		exporter_begin_batch(e);
}

bool
exporter_is_busy(const struct exporter *e)
{
	return e->n > 0 || e->batch_n > 0;
}

/* The timer is for both: there is either a batch that waits, or none. */
static void
on_exporter_due(void *arg)
{
	struct exporter *e = arg;

	if (e->batch_n > 0 && !e->sending)
		exporter_send(e);
	else
		exporter_flush(e);
}

/* What came meanwhile is the next one: at once if it is full, else within a second
 * of now. */
static void
exporter_end_batch(struct exporter *e)
{
	e->batch_n = 0;
	e->again_ms = 0;
	if (e->n >= EXPORTER_SPANS)
		exporter_flush(e);
	else if (e->n > 0)
		timer_set_ms(e->timer, SEND_MS);
}

/* Once, until it is over: a line for each second would fill the log. */
static void
exporter_tell(struct exporter *e, enum sink_result result, const char *why)
{
	if (why != NULL && !e->troubled)
		log_warning("traces: %s; %s", why,
			    result == SINK_AGAIN
				? "retrying"
				: "what it refuses is dropped");
	else if (why == NULL && e->troubled)
		log_notice("traces: %s takes them again", e->opt.where);
	e->troubled = why != NULL;
	if (why == NULL)
		e->dropping = false;
}

static void
on_sent(enum sink_result result, const char *why, void *arg)
{
	struct exporter *e = arg;

	e->sending = false;
	exporter_tell(e, result, why);
	switch (result) {
	case SINK_DONE:
		e->counts.exported += e->batch_n;
		exporter_end_batch(e);
		break;
	case SINK_REFUSED:
		e->counts.dropped += e->batch_n;
		exporter_end_batch(e);
		break;
	case SINK_AGAIN:
		e->again_ms = e->again_ms == 0 ? AGAIN_MIN_MS : 2 * e->again_ms;
		if (e->again_ms > AGAIN_MAX_MS)
			e->again_ms = AGAIN_MAX_MS;
		timer_set_ms(e->timer, e->again_ms);
		break;
	}
}

/* --- spans ------------------------------------------------------------- */

/* Once for each time that it falls behind. */
static void
exporter_drop(struct exporter *e)
{
	e->counts.dropped++;
	if (!e->dropping)
		log_warning("traces: %s does not take them fast enough; some "
			    "are dropped",
			    e->opt.where);
	e->dropping = true;
}

/* The bound is of bytes, since names and ids may be long. */
void
exporter_add(struct exporter *e, const struct span *span)
{
	const size_t waiting = e->batch_n > 0 ? e->batch.len : 0;

	if (waiting + e->spans.len >= EXPORTER_BYTES) {
		exporter_drop(e);
		return;
	}
	if (e->n++ > 0)
		buf_addc(&e->spans, ',');
	span_write(span, &e->spans);
	if (e->n >= EXPORTER_SPANS)
		exporter_flush(e);
	else if (e->batch_n == 0 && !timer_pending(e->timer))
		timer_set_ms(e->timer, SEND_MS);
}

void
exporter_reopen(struct exporter *e)
{
	if (e->kind->reopen != NULL)
		e->kind->reopen(e->sink);
}

struct exporter_counts
exporter_counts(const struct exporter *e)
{
	return e->counts;
}

/* --- life -------------------------------------------------------------- */

struct exporter *
exporter_new(const struct exporter_options *options, struct err *err)
{
	struct exporter *e = calloc(1, sizeof(*e));
	const char *rest;

	if (e == NULL) {
		err_nomem(err);
		return NULL;
	}
	e->opt = *options;
	if ((e->kind = exporter_kind(options->where, &rest, err)) == NULL ||
	    (e->sink = e->kind->open(options->base, rest, on_sent, e, err)) ==
		NULL) {
		exporter_free(e);
		return NULL;
	}
	if ((e->timer = timer_new(options->base, on_exporter_due, e)) == NULL) {
		err_nomem(err);
		exporter_free(e);
		return NULL;
	}
	return e;
}

/* The batch that is under way a file still gets, and what was collected since. */
static int64_t
exporter_count_lost(const struct exporter *e)
{
	if (e->kind == NULL || !e->kind->ends_all)
		return e->n + e->batch_n;
	return e->sending ? 0 : e->batch_n;
}

/* The batch that is under way is the sink's to end. */
void
exporter_free(struct exporter *e)
{
	struct buf rest = BUF_INIT;
	int64_t lost;

	if (e == NULL)
		return;
	if ((lost = exporter_count_lost(e)) > 0)
		log_warning("traces: %" PRId64 " spans are lost, since %s has "
			    "not taken them before the end",
			    lost, e->opt.where);
	if (e->n > 0) {
		span_write_head(&e->opt.resource, &rest);
		buf_add(&rest, e->spans.data, e->spans.len);
		span_write_end(&rest);
	}
	if (e->kind != NULL && e->sink != NULL)
		e->kind->close(
		    e->sink,
		    (struct slice){rest.data, rest.failed ? 0 : rest.len});
	timer_free(e->timer);
	buf_done(&rest);
	buf_done(&e->spans);
	buf_done(&e->batch);
	free(e);
}
