/* SPDX-License-Identifier: MIT */
/* The gateway: requests over its socket, by libcurl, and what refusals mean. */
#include "gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Its type-checking macros would bypass the loader's names of these functions. */
#define CURL_DISABLE_TYPECHECK
#include "loaded/curl.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/library.h"

LIBRARY("HTTP", curl);

/* More than [web] timeout may be, by default. */
#define ANSWER_MS 30000L
#define CONNECT_MS 5000L
/* The server's own limits on a page of tasks or of output are far below this. */
#define ANSWER_MAX (64 << 20)
/* How long a request to an overloaded server is repeated. */
#define PATIENCE_US INT64_C(60000000)

struct gateway {
	char *socket;
	CURL *curl;
	long status; /* of the last answer; 0: there was none */
};

struct gateway *
gateway_new(const char *socket, struct err *err)
{
	struct gateway *g;

	if (library_load(&library_curl, err) != 0)
		return NULL;
	g = calloc(1, sizeof(*g));
	if (g == NULL || (g->socket = strdup(socket)) == NULL ||
	    (g->curl = curl_easy_init()) == NULL) {
		gateway_free(g);
		err_nomem(err);
		return NULL;
	}
	return g;
}

void
gateway_free(struct gateway *g)
{
	if (g == NULL)
		return;
	if (g->curl != NULL)
		curl_easy_cleanup(g->curl);
	free(g->socket);
	free(g);
}

/* --- one try ------------------------------------------------------------- */

/* Returning less than it was given ends the transfer. */
static size_t
on_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct buf *answer = arg;

	(void)size; /* it is 1 */
	if (answer->len + n > ANSWER_MAX)
		return 0;
	buf_add(answer, p, n);
	return answer->failed ? 0 : n;
}

static struct curl_slist *
ask_headers(const struct gateway_request *r)
{
	struct curl_slist *list = NULL;
	char line[256];

	/* The body is sent without asking first: the server reads it anyway. */
	list = curl_slist_append(list, "Expect:");
	if (r->type != NULL) {
		snprintf(line, sizeof(line), "Content-Type: %s", r->type);
		list = curl_slist_append(list, line);
	}
	if (r->key != NULL) {
		snprintf(line, sizeof(line), "Idempotency-Key: %s", r->key);
		list = curl_slist_append(list, line);
	}
	if (r->match != NULL) {
		snprintf(line, sizeof(line), "If-Match: %s", r->match);
		list = curl_slist_append(list, line);
	}
	return list;
}

/* No proxy of the environment is asked for what is on this machine. */
static CURLcode
ask_once(struct gateway *g, const struct gateway_request *r, struct buf *answer)
{
	struct buf url = BUF_INIT;
	struct curl_slist *headers;
	CURLcode code;

	buf_addf(&url, "http://localhost%s", r->path);
	if (url.failed)
		return CURLE_OUT_OF_MEMORY;
	headers = ask_headers(r);
	curl_easy_reset(g->curl);
	curl_easy_setopt(g->curl, CURLOPT_UNIX_SOCKET_PATH, g->socket);
	curl_easy_setopt(g->curl, CURLOPT_URL, url.data);
	/* Dots are left for the server to refuse, not resolved to another path. */
	curl_easy_setopt(g->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(g->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(g->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(g->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(g->curl, CURLOPT_TIMEOUT_MS,
			 ANSWER_MS + (long)(r->wait_s * 1000));
	curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(g->curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(g->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(g->curl, CURLOPT_WRITEDATA, answer);
	if (strcmp(r->method, "GET") != 0) {
		curl_easy_setopt(g->curl, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)r->body.len);
		curl_easy_setopt(g->curl, CURLOPT_POSTFIELDS,
				 r->body.p != NULL ? r->body.p : "");
	}
	code = curl_easy_perform(g->curl);
	curl_slist_free_all(headers);
	buf_done(&url);
	return code;
}

/* --- what failed ------------------------------------------------------------ */

static int
fail_transfer(struct gateway *g, const struct gateway_request *r, CURLcode code,
	      struct err *err)
{
	long sys = 0;

	curl_easy_getinfo(g->curl, CURLINFO_OS_ERRNO, &sys);
	if (code != CURLE_COULDNT_CONNECT)
		return err_set(err, ERR_UNAVAILABLE,
			       "no answer from flowrra-web at %s: %s%s",
			       g->socket, curl_easy_strerror(code),
			       strcmp(r->method, "GET") != 0
				   ? "; it may have been done all the same"
				   : "");
	errno = (int)sys;
	if (sys == EACCES || sys == EPERM)
		return err_set(err, ERR_REFUSED,
			       "cannot use %s, the socket of flowrra-web: %s; "
			       "join its group, or have it opened to all "
			       "(SocketMode=0666 of flowrra-web.socket)",
			       g->socket, strerror((int)sys));
	return err_set(err, ERR_UNAVAILABLE,
		       "cannot reach flowrra-web at %s: %s; start it "
		       "(systemctl start flowrra-web.socket)",
		       g->socket,
		       sys != 0 ? strerror((int)sys)
				: curl_easy_strerror(code));
}

static enum err_code
code_of_status(long status)
{
	static const struct {
		long status;
		enum err_code code;
	} codes[] = {
	    {400, ERR_DATA},	    {401, ERR_REFUSED},	   {403, ERR_REFUSED},
	    {404, ERR_NOT_FOUND},   {409, ERR_REFUSED},	   {412, ERR_REFUSED},
	    {413, ERR_DATA},	    {422, ERR_DATA},	   {429, ERR_FULL},
	    {503, ERR_UNAVAILABLE}, {504, ERR_UNAVAILABLE}};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return ERR_INTERNAL;
}

/* The server's words, with its hint. */
static int
fail_status(struct gateway *g, long status, const struct buf *answer,
	    struct err *err)
{
	json_t *problem = json_loadb(answer->data != NULL ? answer->data : "",
				     answer->len, 0, NULL);
	const char *detail =
	    json_string_value(json_object_get(problem, "detail"));
	const char *hint = json_string_value(json_object_get(problem, "hint"));

	if (status == 401)
		err_set(err, ERR_REFUSED,
			"flowrra-web at %s gives this user no role; have it "
			"added to [web] peers of its configuration: "
			"NAME:submitter",
			g->socket);
	else
		err_set(err, code_of_status(status), "%.400s",
			detail != NULL ? detail
				       : "flowrra-web gives no reason");
	if (hint != NULL && status != 401)
		err_hint(err, "%.200s", hint);
	json_decref(problem);
	return -1;
}

/* Whether the server is only overloaded, and when to ask again. */
static bool
is_busy(struct gateway *g, long status, int64_t *ret_us)
{
	curl_off_t after_s = 0;

	if (status != 429 && status != 503)
		return false;
	curl_easy_getinfo(g->curl, CURLINFO_RETRY_AFTER, &after_s);
	*ret_us = (int64_t)after_s * 1000000;
	return after_s > 0;
}

int
gateway_ask(struct gateway *g, const struct gateway_request *request,
	    struct buf *ret, struct err *err)
{
	const int64_t until_us = clock_mono_us() + PATIENCE_US;
	struct timespec pause;
	int64_t after_us = 0;
	long status = 0;
	CURLcode code;

	g->status = 0;
	for (;;) {
		buf_reset(ret);
		code = ask_once(g, request, ret);
		if (code != CURLE_OK)
			return fail_transfer(g, request, code, err);
		curl_easy_getinfo(g->curl, CURLINFO_RESPONSE_CODE, &status);
		g->status = status;
		if (status < 400)
			return 0;
		if (!is_busy(g, status, &after_us) ||
		    clock_mono_us() + after_us > until_us)
			return fail_status(g, status, ret, err);
		pause = (struct timespec){after_us / 1000000, 0};
		nanosleep(&pause, NULL);
	}
}

long
gateway_status(const struct gateway *g)
{
	return g->status;
}

json_t *
gateway_json(struct gateway *g, const struct gateway_request *request,
	     struct err *err)
{
	struct buf answer = BUF_INIT;
	json_t *json = NULL;

	if (gateway_ask(g, request, &answer, err) == 0 &&
	    (json =
		 json_loadb(answer.data != NULL ? answer.data : "", answer.len,
			    JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)) == NULL)
		err_set(err, ERR_INTERNAL,
			"cannot parse the answer of flowrra-web at %s",
			g->socket);
	buf_done(&answer);
	return json;
}

json_t *
gateway_get(struct gateway *g, const char *path, struct err *err)
{
	const struct gateway_request request = {.method = "GET", .path = path};

	return gateway_json(g, &request, err);
}
