/* SPDX-License-Identifier: MIT */
/*
 * Replies: those of the user, and refusals of the server's own.
 */
#include <string.h>
#include <time.h>

#include "http/state.h"
#include "util/clock.h"
#include "util/log.h"

/* In a 503: a shortage of streams or of memory lasts for longer than a moment. */
#define REPLY_RETRY_S "5"

int
http_add_fields(struct MHD_Response *response, const struct http_field *fields)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		if (fields->value != NULL &&
		    MHD_add_response_header(response, fields->name,
					    fields->value) != MHD_YES)
			return -1;
	return 0;
}

/* libmicrohttpd takes no const body, but does not write to it either. A NULL would
 * be an error even with no bytes. */
static struct MHD_Response *
reply_with_body(const struct http_reply *reply)
{
	void *body = (void *)(reply->body.p != NULL ? reply->body.p : "");

	if (reply->release == NULL)
		return MHD_create_response_from_buffer(reply->body.len, body,
						       MHD_RESPMEM_MUST_COPY);
	return MHD_create_response_from_buffer_with_free_callback_cls(
	    reply->body.len, body, reply->release, reply->arg);
}

/* What cannot be replied ends the connection: the peer sees that. A body that is
 * not copied is released in any case, once. */
void
http_reply(struct http_request *request, const struct http_reply *reply)
{
	const struct http_field own[] = {
	    {"Content-Type", reply->type},
	    {"Connection", reply->close ? "close" : NULL},
	    {NULL, NULL},
	};
	struct MHD_Response *response = reply_with_body(reply);

	if (response == NULL && reply->release != NULL)
		reply->release(reply->arg);
	if (response != NULL &&
	    (http_add_fields(response, own) != 0 ||
	     http_add_fields(response, reply->fields) != 0)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	http_request_answer(request, reply->status, response);
}

/* --- refusals of the server's own ----------------------------------------- */

/* One, before it goes out by libmicrohttpd or past it. The fields of the user's
 * own replies come behind these. */
struct refusal {
	unsigned int status;
	char id[HTTP_ID_SIZE];
	struct http_field fields[7];
	struct buf body;
};

/* The log has a line with the number that the peer is told: there is no other
 * sign of a request that the user has not seen. `request` NULL: none has begun. */
static void
refusal_make(struct refusal *r, const struct http_conn *conn,
	     const struct http_request *request, unsigned int status,
	     const char *detail)
{
	const struct http_problem problem = {
	    .status = status, .detail = detail, .request_id = r->id};
	struct http_field *field = r->fields;

	*r = (struct refusal){.status = status, .body = BUF_INIT};
	if (request != NULL)
		memcpy(r->id, request->id, sizeof(r->id));
	else
		http_make_id(r->id);
	*field++ = (struct http_field){"Content-Type", HTTP_PROBLEM_TYPE};
	*field++ = (struct http_field){"Connection", "close"};
	*field++ = (struct http_field){"X-Request-Id", r->id};
	/* RFC 9110, section 15.5.22, and RFC 6455, section 4.4. */
	if (status == 426) {
		*field++ = (struct http_field){"Upgrade", "websocket"};
		*field++ = (struct http_field){"Sec-WebSocket-Version", "13"};
	}
	if (status == 503)
		*field++ = (struct http_field){"Retry-After", REPLY_RETRY_S};
	http_problem_write(&problem, &r->body);
	log_debug("request %s, from %s: %u, %s", r->id, conn->peer, status,
		  detail);
}

/* The connection closes: after a head that was refused nobody knows where the next
 * one begins. */
void
http_refuse(struct http_request *request, unsigned int status,
	    const char *detail)
{
	struct MHD_Response *response = NULL;
	struct refusal r;

	refusal_make(&r, request->conn, request, status, detail);
	if (!r.body.failed)
		response = MHD_create_response_from_buffer(
		    r.body.len, r.body.data, MHD_RESPMEM_MUST_COPY);
	buf_done(&r.body);
	if (response != NULL &&
	    (http_add_fields(response, r.fields) != 0 ||
	     http_add_fields(
		 response, request->conn->server->user.refusal_fields) != 0)) {
		MHD_destroy_response(response);
		response = NULL;
	}
	http_request_answer(request, status, response);
}

static void
raw_add_fields(struct buf *text, const struct http_field *fields)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		buf_addf(text, "%s: %s\r\n", fields->name, fields->value);
}

/* The head of what http_refuse() has libmicrohttpd write, and its body. */
static void
raw_write(struct buf *text, const struct refusal *r,
	  const struct http_conn *conn, bool head)
{
	const time_t now = (time_t)(clock_wall_us() / 1000000);
	char date[64];
	struct tm tm;

	/* The daemons' locale is "C", as RFC 9110, section 5.6.7, has it. */
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		 gmtime_r(&now, &tm));
	buf_addf(text, "HTTP/1.1 %u %s\r\nDate: %s\r\nContent-Length: %zu\r\n",
		 r->status, http_status_text(r->status), date, r->body.len);
	raw_add_fields(text, r->fields);
	raw_add_fields(text, conn->server->user.refusal_fields);
	buf_adds(text, "\r\n");
	if (!head)
		buf_add(text, r->body.data, r->body.len);
}

/* A part of it may be lost if the socket is full: the peer has read nothing then. */
void
http_refuse_raw(struct http_conn *conn, const struct http_request *request,
		unsigned int status, const char *detail)
{
	const char *method = request != NULL ? request->method_name : NULL;
	const bool head = method != NULL && strcmp(method, "HEAD") == 0;
	struct buf text = BUF_INIT;
	struct refusal r;

	refusal_make(&r, conn, request, status, detail);
	raw_write(&text, &r, conn, head);
	/* Within TLS nothing can be said past libmicrohttpd. */
	if (!conn->engine->tls && !text.failed && !r.body.failed)
		send(conn->fd, text.data, text.len,
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_done(&text);
	buf_done(&r.body);
	http_conn_finish(conn);
}
