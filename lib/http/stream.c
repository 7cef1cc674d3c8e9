/* SPDX-License-Identifier: MIT */
/*
 * Event streams: replies without an end.
 *
 * libmicrohttpd asks for bytes as the socket takes them. While none are owed the
 * connection is suspended.
 */
#include <stdlib.h>
#include <string.h>

#include "http/state.h"
#include "util/timer.h"

/* Bytes that libmicrohttpd takes at once; a stream that waits for its reader
 * holds as much. */
#define STREAM_BLOCK 4096
/* What is kept of an emptied buffer: the memory of a burst is given back. */
#define STREAM_KEPT 4096

struct http_stream {
	struct http_request *request;
	struct http_stream_user user;
	struct buf owed;
	size_t taken;	       /* of owed */
	bool ended;	       /* by the user, who has let go of it */
	struct timer *drained; /* on_drained is not called from within others */
};

/* Bytes that the kernel has taken count as sent. */
size_t
http_stream_owed(const struct http_stream *stream)
{
	return stream->owed.len - stream->taken;
}

static void
stream_forget(struct http_stream *stream)
{
	buf_reset(&stream->owed);
	if (stream->owed.cap > STREAM_KEPT)
		buf_done(&stream->owed);
	stream->taken = 0;
}

/* Not from within libmicrohttpd: the user may send, or end the stream. */
static void
stream_on_drained(void *arg)
{
	struct http_stream *stream = arg;

	if (!stream->ended && http_stream_owed(stream) == 0 &&
	    stream->user.on_drained != NULL)
		stream->user.on_drained(stream, stream->user.arg);
}

/* libmicrohttpd asks for bytes. The answer "none" without a suspension would have it
 * ask again at once, for ever. */
static ssize_t
stream_on_wanted(void *cls, uint64_t pos, char *bytes, size_t max)
{
	struct http_stream *stream = cls;
	size_t n = http_stream_owed(stream);

	if (stream->request->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && stream->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		http_request_suspend(stream->request);
		return 0;
	}
	n = n < max ? n : max;
	memcpy(bytes, stream->owed.data + stream->taken, n);
	stream->taken += n;
	if (http_stream_owed(stream) == 0) {
		stream_forget(stream);
		timer_fire(stream->drained);
	}
	return (ssize_t)n;
}

/* Its request has ended, by either side. */
void
http_stream_on_completed(struct http_stream *stream)
{
	stream->request->conn->server->n_streams--;
	stream->request->stream = NULL;
	if (!stream->ended && stream->user.on_gone != NULL)
		stream->user.on_gone(stream, stream->user.arg);
	timer_free(stream->drained);
	buf_done(&stream->owed);
	free(stream);
}

/* Without a length: in chunks, or to the end of the connection in HTTP/1.0. */
static struct MHD_Response *
stream_response(struct http_stream *stream, const struct http_field *fields)
{
	static const struct http_field own[] = {
	    {"Content-Type", "text/event-stream"},
	    {"Cache-Control", "no-store"},
	    {NULL, NULL},
	};
	struct MHD_Response *response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_on_wanted, stream, NULL);

	if (response == NULL)
		return NULL;
	if (http_add_fields(response, own) == 0 &&
	    http_add_fields(response, fields) == 0)
		return response;
	MHD_destroy_response(response);
	return NULL;
}

/* NULL, and nothing of it is left, without memory. */
static struct http_stream *
stream_new(struct http_request *request, const struct http_stream_user *user,
	   const struct http_field *fields, struct MHD_Response **ret)
{
	struct http_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->request = request;
	stream->user = *user;
	stream->drained =
	    timer_new(request->conn->server->base, stream_on_drained, stream);
	*ret = stream->drained != NULL ? stream_response(stream, fields) : NULL;
	if (*ret != NULL)
		return stream;
	timer_free(stream->drained);
	free(stream);
	return NULL;
}

/* Behind the head of a reply to HEAD libmicrohttpd would send the end of a body in
 * chunks. */
struct http_stream *
http_stream_begin(struct http_request *request, const struct http_field *fields,
		  const struct http_stream_user *user)
{
	struct http_server *server = request->conn->server;
	struct http_stream *stream;
	struct MHD_Response *response;

	if (strcmp(request->method_name, "GET") != 0) {
		http_reply(request, &(struct http_reply){
					.status = 200,
					.type = "text/event-stream",
					.fields = fields,
				    });
		return NULL;
	}
	if (server->n_streams >= server->limits.max_streams) {
		http_refuse(request, 503, "there are too many streams");
		return NULL;
	}
	if ((stream = stream_new(request, user, fields, &response)) == NULL) {
		http_refuse(request, 503, "there is no memory for a stream");
		return NULL;
	}
	server->n_streams++;
	request->stream = stream;
	http_request_answer(request, 200, response);
	return stream;
}

/* What was taken is moved away only when it is the larger part, so that each
 * byte is moved once on the average. */
ssize_t
http_stream_send(struct http_stream *stream, struct slice bytes)
{
	struct http_request *request = stream->request;
	size_t owed = http_stream_owed(stream);

	if (stream->ended || request->gone ||
	    bytes.len > request->conn->server->limits.max_backlog ||
	    owed > request->conn->server->limits.max_backlog - bytes.len)
		return -1;
	if (stream->taken > 0 && stream->taken >= owed) {
		buf_drain(&stream->owed, stream->taken);
		stream->taken = 0;
	}
	if (buf_reserve(&stream->owed, bytes.len) != 0)
		return -1;
	buf_add(&stream->owed, bytes.p, bytes.len);
	if (bytes.len > 0)
		http_request_resume(request);
	return (ssize_t)(owed + bytes.len);
}

/* What is owed still goes out: stream_on_wanted() ends it after that. */
void
http_stream_end(struct http_stream *stream)
{
	stream->ended = true;
	http_request_resume(stream->request);
}
