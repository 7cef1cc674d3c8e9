/* SPDX-License-Identifier: MIT */
/*
 * Replies: those of the user, and refusals of the server's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/state.h"
#include "http/text.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/uuid.h"

/* A head and a body of static texts. */
#define REPLY_RAW_SIZE 1024
/* Streams and memory are short for longer than a moment. */
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

/* What cannot be replied ends the connection: the peer sees that. */
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

/* The form of the ids that the API gives requests: the last 22 of a UUID. */
#define REPLY_ID_SIZE 24

/* What a peer quotes to an operator who asks what it was. There is no other sign
 * of a request that was refused here: its user has not seen it. */
static void
reply_note(const struct http_conn *conn, unsigned int status,
	   const char *detail, char id[REPLY_ID_SIZE])
{
	char uuid[UUID_TEXT_SIZE];

	uuid_make(uuid);
	snprintf(id, REPLY_ID_SIZE, "%s", uuid + 14);
	log_debug("request %s, from %s: %u, %s", id, conn->peer, status,
		  detail);
}

/* The shape of RFC 9457 that the API uses, with texts that need no escapes. */
static int
reply_problem(unsigned int status, const char *detail, const char *id,
	      char *text, size_t size)
{
	return snprintf(text, size,
			"{\"status\":%u,\"code\":\"%s\",\"detail\":\"%s\","
			"\"field\":null,\"hint\":null,\"request_id\":\"%s\"}\n",
			status, http_status_code(status), detail, id);
}

void
http_refuse(struct http_request *request, unsigned int status,
	    const char *detail)
{
	const bool upgrade = status == 426, busy = status == 503;
	char id[REPLY_ID_SIZE];
	const struct http_field fields[] = {
	    {"X-Request-Id", id},
	    {"Cache-Control", "no-store"},
	    {"X-Content-Type-Options", "nosniff"},
	    /* RFC 9110, section 15.5.22, and RFC 6455, section 4.4. */
	    {"Upgrade", upgrade ? "websocket" : NULL},
	    {"Sec-WebSocket-Version", upgrade ? "13" : NULL},
	    {"Retry-After", busy ? REPLY_RETRY_S : NULL},
	    {NULL, NULL},
	};
	char text[REPLY_RAW_SIZE];
	int len;

	reply_note(request->conn, status, detail, id);
	len = reply_problem(status, detail, id, text, sizeof(text));
	http_reply(request, &(struct http_reply){
				.status = status,
				.type = "application/problem+json",
				.fields = fields,
				.body = {text, (size_t)len},
				.close = true,
			    });
}

/* A part of it may be lost if the socket is full: the peer has read nothing then. */
void
http_refuse_raw(struct http_conn *conn, const char *method, unsigned int status,
		const char *detail)
{
	char body[REPLY_RAW_SIZE / 2], text[REPLY_RAW_SIZE], date[64];
	char id[REPLY_ID_SIZE];
	int len;
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	bool head = method != NULL && strcmp(method, "HEAD") == 0;

	reply_note(conn, status, detail, id);
	len = reply_problem(status, detail, id, body, sizeof(body));
	/* The daemons' locale is "C", as RFC 9110, section 5.6.7, has it. */
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT",
		 gmtime_r(&now, &tm));
	len = snprintf(text, sizeof(text),
		       "HTTP/1.1 %u %s\r\n"
		       "Date: %s\r\n"
		       "Content-Type: application/problem+json\r\n"
		       "Content-Length: %d\r\n"
		       "Cache-Control: no-store\r\n"
		       "X-Content-Type-Options: nosniff\r\n"
		       "X-Request-Id: %s\r\n"
		       "Connection: close\r\n\r\n%s",
		       status, http_status_text(status), date, len, id,
		       head ? "" : body);
	/* Within TLS nothing can be said past libmicrohttpd. */
	if (!conn->engine->tls)
		send(conn->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	http_conn_finish(conn);
}
