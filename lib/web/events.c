/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events (the HTML standard, section 9.2): a stream of what changes.
 *
 * A stream is begun before its subscription, as events may come from within that,
 * and it ends by either side: viewer_free() is the one place that frees it. A
 * viewer that does not read costs a bounded number of bytes, and is told the
 * newest state when it reads again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/timer.h"
#include "web/frame.h"
#include "web/hub.h"
#include "web/state.h"

/* A reader that owes more is behind: it gets the newest state when it has caught
 * up. */
#define OWED_MAX (64 << 10)
/* A proxy ends a connection on which nothing happens for a minute. */
#define BEAT_MS 15000

struct viewer {
	struct web *web;
	struct web_identity who;
	struct http_stream *stream;
	struct hub_subscriber *subscriber;
	struct timer *beat;
};

/* The hub first: it must not call one that is half gone. */
static void
viewer_free(struct viewer *viewer)
{
	if (viewer->subscriber != NULL)
		hub_leave(viewer->subscriber);
	timer_free(viewer->beat);
	free(viewer);
}

/* The peer is gone. */
static void
on_viewer_gone(struct http_stream *stream, void *arg)
{
	viewer_free(arg);
}

/* It may come before there is a subscription: the first bytes are the retry
 * line. */
static void
on_viewer_drained(struct http_stream *stream, void *arg)
{
	struct viewer *viewer = arg;

	if (viewer->subscriber != NULL)
		hub_drained(viewer->subscriber);
}

/* A stream outlives requests by hours, so every 15 s it is asked whether its
 * credential still holds. A comment line is not an event, but keeps proxies
 * from ending the connection. */
static void
on_viewer_beat(void *arg)
{
	struct viewer *viewer = arg;

	/* A page that may still see it comes again, and is asked who it is. */
	if (!auth_holds(viewer->web->auth, &viewer->who)) {
		http_stream_end(viewer->stream);
		viewer_free(viewer);
		return;
	}
	/* One that reads nothing has the beats before. */
	if (http_stream_owed(viewer->stream) == 0)
		http_stream_send(viewer->stream, SLICE(": beat\n\n"));
	timer_set_ms(viewer->beat, BEAT_MS);
}

/* JSON on one line: no line break can forge another event. */
static int
on_viewer_event(const char *name, uint64_t id, struct slice json, void *arg)
{
	struct viewer *viewer = arg;
	struct buf text = BUF_INIT;
	int r = -1;

	if (http_stream_owed(viewer->stream) > OWED_MAX)
		return -1;
	buf_addf(&text, "event: %s\nid: %llu\ndata: ", name,
		 (unsigned long long)id);
	buf_add(&text, json.p, json.len);
	buf_adds(&text, "\n\n");
	if (!text.failed &&
	    http_stream_send(viewer->stream,
			     (struct slice){text.data, text.len}) >= 0)
		r = 0;
	buf_done(&text);
	return r;
}

/* Readers other than operators see masked texts, whatever their role is. A page
 * that reconnects waits two seconds. */
static int
viewer_subscribe(struct viewer *viewer, char *const *topics, struct err *err)
{
	const struct hub_reader reader = {.on_event = on_viewer_event,
					  .arg = viewer,
					  .masked =
					      viewer->who.role != WEB_OPERATOR};

	http_stream_send(viewer->stream, SLICE("retry: 2000\n\n"));
	timer_set_ms(viewer->beat, BEAT_MS);
	viewer->subscriber =
	    hub_subscribe(viewer->web->hub, &reader, topics, err);
	return viewer->subscriber != NULL ? 0 : -1;
}

/* The stream is begun before the first event can come. */
static int
viewer_begin(struct viewer *viewer, struct visit *v)
{
	static const struct http_field proxies[] = {{"X-Accel-Buffering", "no"},
						    {NULL, NULL}};
	struct http_field fields[16];
	const struct http_stream_user user = {.on_gone = on_viewer_gone,
					      .on_drained = on_viewer_drained,
					      .arg = viewer};
	struct http_request *request = v->request;
	size_t n = 0, i;

	for (i = 0; respond_api_fields[i].name != NULL; i++)
		fields[n++] = respond_api_fields[i];
	fields[n++] = proxies[0];
	fields[n] = proxies[1];
	v->request = NULL;
	http_set_data(request, NULL);
	viewer->stream = http_stream_begin(request, fields, &user);
	return viewer->stream != NULL ? 0 : -1;
}

/* What is wrong with the topics is told while there can still be a status for
 * it. */
int
frame_events(struct web_call *call, struct err *err)
{
	struct visit *v = call->visit;
	struct viewer *viewer;
	char **topics = conf_list(web_text(call, "topics"));
	struct web *web = v->web;

	if (topics == NULL)
		return err_nomem(err);
	if (hub_check_topics(web->hub, topics, err) != 0) {
		conf_list_free(topics);
		return web_fault(call, "topics", NULL, err);
	}
	viewer = calloc(1, sizeof(*viewer));
	if (viewer == NULL ||
	    (viewer->beat = timer_new(web->base, on_viewer_beat, viewer)) ==
		NULL) {
		free(viewer);
		conf_list_free(topics);
		return err_nomem(err);
	}
	viewer->web = web;
	viewer->who = v->who;
	if (viewer_begin(viewer, v) != 0) {
		viewer_free(viewer);
	} else if (viewer_subscribe(viewer, topics, err) != 0) {
		http_stream_end(viewer->stream);
		viewer_free(viewer);
	}
	conf_list_free(topics);
	visit_release(v);
	return 0;
}
