/* SPDX-License-Identifier: MIT */
/*
 * A request: from its first line to its reply, in the calls of libmicrohttpd.
 *
 * Those are: the target; a first call when the head is there, in which a body
 * can be refused; one for each part of the body; and a last one, which is made
 * again until there is a reply. While the user has the request its connection is
 * suspended.
 *
 * `owned` says that the user has the request and has neither replied nor heard
 * on_gone(): exactly one of the two follows. http_request_on_completed() is the
 * one place where it is freed, whatever happened to it.
 */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/state.h"

/* A body that is too long is read to its end nevertheless, so that the reply
 * arrives, if it has at most that many bytes; else the connection ends at once. */
#define REQUEST_DISCARD_MAX 262144

/* Of a head that is only looked at, too (peek.c). */
struct http_request *
http_request_new(struct http_conn *conn)
{
	struct http_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->conn = conn;
	http_make_id(request->id);
	return request;
}

/* Called with the first line; the result is the context of the calls below. NULL
 * ends the connection: there is no other way to refuse here. */
void *
http_request_on_target(void *cls, const char *target,
		       struct MHD_Connection *mhd)
{
	struct http_conn *conn = http_conn_of(mhd);
	struct http_request *request;
	const char *question;

	if (conn == NULL || conn->cut || target == NULL)
		return NULL;
	request = http_request_new(conn);
	if (request == NULL)
		return NULL;
	request->target = strdup(target);
	if (request->target == NULL) {
		http_request_free(request);
		return NULL;
	}
	request->where = target;
	/* Parameters of the query are ours to take apart: thousands of them
	 * would use up libmicrohttpd's memory. */
	question = strchr(target, '?');
	if (question != NULL)
		((char *)question)[1] = '\0';
	conn->request = request;
	return request;
}

void
http_request_free(struct http_request *request)
{
	if (request == NULL)
		return;
	if (request->reply != NULL)
		MHD_destroy_response(request->reply);
	buf_done(&request->body);
	buf_done(&request->text);
	free(request->path);
	free(request->target);
	free(request);
}

/* Called for each request that libmicrohttpd has begun, however it ended: the
 * one place where a request is freed that it knows of. */
void
http_request_on_completed(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *context;
	struct http_conn *conn;
	bool alone;

	if (request == NULL)
		return;
	*context = NULL;
	alone =
	    request->alone && request->status != MHD_HTTP_SWITCHING_PROTOCOLS;
	conn = request->conn;
	http_request_gone(request);
	if (request->stream != NULL)
		http_stream_on_completed(request->stream);
	if (request->ws != NULL)
		http_ws_on_completed(request->ws);
	conn->request = NULL;
	http_request_free(request);
	if (conn->server->freeing)
		return;
	conn->parks = alone && code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
	conn->engine->parks |= conn->parks;
	http_conn_phase(conn, HTTP_IDLE);
}

/* libmicrohttpd would call again and again while there is no reply. */
void
http_request_suspend(struct http_request *request)
{
	request->suspended = true;
	MHD_suspend_connection(request->conn->mhd);
}

/* While a reply waits for libmicrohttpd's next call there is nothing to resume. */
void
http_request_resume(struct http_request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->conn->mhd);
	http_engine_wake(request->conn->engine);
}

/* The user is told last: it may look at the request once more. */
void
http_request_gone(struct http_request *request)
{
	struct http_server *server = request->conn->server;
	bool owned = request->owned;

	request->gone = true;
	request->owned = false;
	http_request_resume(request);
	if (owned)
		server->user.on_gone(request, server->user.arg);
}

/* The user may have replied from within a call of libmicrohttpd: the reply then
 * waits for the next one (request_send()), and nothing is suspended. */
void
http_request_answer(struct http_request *request, unsigned int status,
		    struct MHD_Response *reply)
{
	request->owned = false;
	request->status = status;
	request->reply = reply;
	if (reply == NULL)
		request->gone = true;
	http_request_resume(request);
}

/* Hands the reply over. If it is early, before the body, the connection ends. */
static enum MHD_Result
request_send(struct http_request *request, bool early)
{
	struct MHD_Response *reply = request->reply;
	enum MHD_Result rc;

	if (request->gone || reply == NULL)
		return MHD_NO;
	request->reply = NULL;
	request->conn->linger |= early;
	http_conn_phase(request->conn,
			request->stream != NULL ? HTTP_STREAM : HTTP_SEND);
	rc = MHD_queue_response(request->conn->mhd, request->status, reply);
	MHD_destroy_response(reply);
	return rc;
}

/* Such a peer waits for a word before it sends the body (RFC 9110, section
 * 10.1.1): a refusal in its place saves the body. */
static bool
expects_continue(const struct http_request *request)
{
	const char *expect = http_header(request, "Expect");

	return expect != NULL && strcasecmp(expect, "100-continue") == 0;
}

/* libmicrohttpd asks for a certificate, and takes any, or none: whether it is signed
 * by our authority, and for clients, is checked here, by each request, since a
 * handshake that fails would tell the peer nothing. */
static bool
request_is_certified(const struct http_request *request)
{
	gnutls_typed_vdata_st purpose = {
	    .type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	const union MHD_ConnectionInfo *info;
	unsigned int status = 0;

	if (!request->conn->engine->verifies)
		return true;
	info = MHD_get_connection_info(request->conn->mhd,
				       MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info != NULL &&
	       gnutls_certificate_verify_peers(info->tls_session, &purpose, 1,
					       &status) == GNUTLS_E_SUCCESS &&
	       status == 0;
}

/* The head is there. A reply to a request without a body waits for the last
 * call, so that the connection goes on. */
static enum MHD_Result
request_begin(struct http_request *request, const char *method,
	      const char *version)
{
	struct http_server *server = request->conn->server;
	int64_t max;

	request->begun = true;
	if (!request_is_certified(request)) {
		http_refuse(request, 403,
			    "a certificate that this server trusts is needed");
		return request_send(request, true);
	}
	if (http_gate(request, request->conn->mhd, method, version) != 0) {
		http_refuse(request, request->refusal.status,
			    request->refusal.detail);
		return request_send(request, true);
	}
	request->owned = true;
	max = server->user.on_head(request, server->user.arg);
	if (request->owned && max >= 0 && request->length > (uint64_t)max) {
		http_refuse(request, 413,
			    "the body of the request is too long");
		server->user.on_gone(request, server->user.arg);
	}
	if (request->length == 0)
		return MHD_YES;
	if (!request->owned && (expects_continue(request) ||
				request->length > REQUEST_DISCARD_MAX))
		return request_send(request, true);
	http_conn_phase(request->conn, HTTP_BODY);
	return MHD_YES;
}

/* A body that nobody owns any more is read and thrown away. */
static enum MHD_Result
request_take(struct http_request *request, const char *data, size_t *size)
{
	if (request->owned) {
		buf_add(&request->body, data, *size);
		if (request->body.failed)
			return MHD_NO;
	}
	request->after = data + *size;
	*size = 0;
	return MHD_YES;
}

/*
 * All of it is there, or the reply to it.
 *
 * What was read with it stands right behind it, and libmicrohttpd's memory is
 * zero where nothing was read. (A byte of an older request may be there, too:
 * then the next head is left to libmicrohttpd.)
 */
static enum MHD_Result
request_end(struct http_request *request)
{
	struct http_server *server = request->conn->server;

	if (request->owned && !request->given) {
		request->given = true;
		request->alone = *request->after == '\0';
		http_conn_phase(request->conn, HTTP_ANSWER);
		server->user.on_request(request, server->user.arg);
	}
	if (!request->owned)
		return request_send(request, false);
	http_request_suspend(request);
	return MHD_YES;
}

/* libmicrohttpd calls with the head, with each part of the body, and at the
 * end. */
enum MHD_Result
http_request_on_call(void *cls, struct MHD_Connection *mhd, const char *url,
		     const char *method, const char *version, const char *data,
		     size_t *size, void **context)
{
	struct http_request *request = *context;

	if (request == NULL || request->gone)
		return MHD_NO;
	if (!request->begun)
		return request_begin(request, method, version);
	if (*size > 0)
		return request_take(request, data, size);
	return request_end(request);
}

enum http_method
http_method(const struct http_request *request)
{
	return request->method;
}

const char *
http_id(const struct http_request *request)
{
	return request->id;
}

const char *
http_path(const struct http_request *request)
{
	return request->path;
}

const char *
http_query(const struct http_request *request)
{
	return request->query;
}

/* A linear search: a head has a dozen fields. */
const char *
http_header(const struct http_request *request, const char *name)
{
	size_t i;

	for (i = 0; i < request->n_fields; i++)
		if (strcasecmp(request->fields[i].name.p, name) == 0)
			return request->fields[i].value.p;
	return NULL;
}

size_t
http_header_count(const struct http_request *request, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < request->n_fields; i++)
		n += strcasecmp(request->fields[i].name.p, name) == 0;
	return n;
}

struct slice
http_body(const struct http_request *request)
{
	return (struct slice){request->body.data, request->body.len};
}

const char *
http_peer(const struct http_request *request)
{
	return request->conn->peer;
}

int64_t
http_peer_uid(const struct http_request *request)
{
	return request->conn->peer_uid;
}

/* The kernel keeps the groups of the peer as they were at connect(). */
bool
http_peer_in_group(const struct http_request *request, gid_t gid)
{
	const int fd = request->conn->fd;
	gid_t *groups = NULL;
	socklen_t len = 0, i;
	struct ucred cred;
	bool found = false;

	if (request->conn->peer_uid < 0)
		return false;
	len = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
	    cred.gid == gid)
		return true;
	/* Their number first. */
	len = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 ||
	    errno != ERANGE || (groups = malloc(len)) == NULL)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		for (i = 0; i < len / sizeof(gid_t) && !found; i++)
			found = groups[i] == gid;
	free(groups);
	return found;
}

bool
http_is_tls(const struct http_request *request)
{
	return request->conn->engine->tls;
}

void
http_set_data(struct http_request *request, void *data)
{
	request->data = data;
}

void *
http_data(const struct http_request *request)
{
	return request->data;
}
