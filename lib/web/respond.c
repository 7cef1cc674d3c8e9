/* SPDX-License-Identifier: MIT */
/*
 * Replies: headers that all have, problems, answers of calls, pages and files.
 *
 * A reply ends the request, and with it the visit's hold on it: each function
 * here takes the request away before it hands the reply over, since that may
 * already tell of the request's end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module/dump.h"
#include "util/conf.h"
#include "util/sha.h"
#include "util/timer.h"
#include "web/figures.h"
#include "web/state.h"
#include "web/static.h"

/* Twice what a reply has: some eight of every reply, and those of its route. */
#define FIELDS_MAX 32

/* What a page may load and do. Script only from here; no text becomes markup
 * (Trusted Types); nobody frames it. */
#define PAGE_POLICY                                                            \
	"default-src 'none'; script-src 'self'; style-src 'self'; "            \
	"img-src 'self' data:; connect-src 'self'; form-action 'self'; "       \
	"base-uri 'self'; frame-ancestors 'none'; "                            \
	"require-trusted-types-for 'script'"
/* For every reply, of any kind: no guessing of types (which would make a script of an
 * answer), no URL of ours to other sites, no window or frame of another origin that
 * reads or shows us. */
#define ALL_FIELDS                                                             \
	{"X-Content-Type-Options", "nosniff"},                                 \
	    {"Referrer-Policy", "no-referrer"},                                \
	    {"Cross-Origin-Opener-Policy", "same-origin"},                     \
	    {"Cross-Origin-Resource-Policy", "same-origin"},                   \
	{                                                                      \
		"X-Frame-Options", "DENY"                                      \
	}

/* An answer of the API is data: nothing in it may run or be shown as a page, and it
 * is nobody's to keep. */
const struct http_field respond_api_fields[] = {
    ALL_FIELDS,
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
    {NULL, NULL}};

static const struct http_field page_fields[] = {
    ALL_FIELDS,
    {"Content-Security-Policy", PAGE_POLICY},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
    {"Cache-Control", "private, no-cache"},
    {NULL, NULL}};

/* Its URL has the digest of its bytes, so that what is at that URL never changes. */
static const struct http_field file_fields[] = {
    ALL_FIELDS,
    {"Content-Security-Policy", PAGE_POLICY},
    {"Cache-Control", "public, max-age=31536000, immutable"},
    {"Vary", "Accept-Encoding"},
    {NULL, NULL}};

/* Headers of a reply while it is put together; values are borrowed. */
struct fields {
	struct http_field items[FIELDS_MAX + 1];
	size_t n;
};

/* Beyond the bound they are left out; routes have two or three of their own. */
static void
fields_add(struct fields *fields, const char *name, const char *value)
{
	if (fields->n < FIELDS_MAX && value != NULL)
		fields->items[fields->n++] = (struct http_field){name, value};
	fields->items[fields->n].name = NULL;
}

/* The last has no name; NULL: there are none. */
static void
fields_add_all(struct fields *fields, const struct http_field *more)
{
	for (; more != NULL && more->name != NULL; more++)
		fields_add(fields, more->name, more->value);
}

/* --- the end of a visit ---------------------------------------------------- */

/* Called by whichever lets go, the request or the pool; the last one frees it. */
void
visit_release(struct visit *v)
{
	if (v == NULL || v->request != NULL || v->in_pool)
		return;
	v->web->unproven -= v->unproven;
	timer_free(v->deadline);
	web_call_free(v->call);
	if (v->password != NULL)
		explicit_bzero(v->password, sizeof(*v->password));
	free(v->password);
	free(v);
}

/* The request is over with the reply: nobody may hold it. */
static void
respond(struct visit *v, struct http_reply *reply)
{
	struct http_request *request = v->request;

	figures_count(v->web->shared.figures, v->route, reply->status);
	v->request = NULL;
	http_set_data(request, NULL);
	http_reply(request, reply);
	visit_release(v);
}

/* --- problems -------------------------------------------------------------- */

/* Before a route is found a problem has the shape of our own API: the paths of
 * the package are all known. */
static bool
respond_is_seed(const struct visit *v)
{
	return v->route != NULL && (v->route->flags & WEB_SEED) != 0;
}

/* A browser that has no session asks for no password: the page does. */
static void
respond_add_challenge(const struct visit *v, struct fields *fields)
{
	const bool page = http_header(v->request, "Sec-Fetch-Mode") != NULL;

	fields_add(fields, "WWW-Authenticate",
		   v->web->conf->web.users[0] != '\0' && !page
		       ? "Basic realm=\"Flowrra\", charset=\"UTF-8\""
		       : "Bearer realm=\"Flowrra\"");
}

/* What the peer is told has the number of the line in the log: there is more. */
static void
respond_problem(struct visit *v, const struct http_problem *problem,
		struct fields *fields)
{
	struct http_problem p = *problem;
	struct buf body = BUF_INIT;
	struct http_reply reply;

	const char *type;

	p.request_id = v->id;
	type = problem_write(&p, respond_is_seed(v), &body);
	fields_add_all(fields, respond_api_fields);
	fields_add(fields, "X-Request-Id", v->id);
	if (p.status == 401)
		respond_add_challenge(v, fields);
	v->web->n_refused++;
	reply = (struct http_reply){.status = p.status,
				    .type = type,
				    .fields = fields->items,
				    .body = {body.data, body.len}};
	respond(v, &reply);
	buf_done(&body);
}

/* A 503 of ours is over soon: the queue is short, or memory is. */
void
respond_refuse(struct visit *v, unsigned int status, const char *detail,
	       const char *hint)
{
	const struct http_problem problem = {
	    .status = status, .detail = detail, .hint = hint};
	struct fields fields = {.n = 0};

	if (status == 503)
		fields_add(&fields, "Retry-After", "1");
	respond_problem(v, &problem, &fields);
}

/* RFC 9110, section 15.5.6: a 405 has to say what is allowed. */
void
respond_allow(struct visit *v, unsigned int methods)
{
	static const char *const names[] = {[HTTP_GET] = "GET, HEAD",
					    [HTTP_POST] = "POST",
					    [HTTP_PUT] = "PUT",
					    [HTTP_DELETE] = "DELETE"};
	const struct http_problem problem = {
	    .status = 405, .detail = "this path does not have this method"};
	struct fields fields = {.n = 0};
	char allow[64] = "";
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((methods & 1u << i) != 0)
			snprintf(allow + strlen(allow),
				 sizeof(allow) - strlen(allow), "%s%s",
				 allow[0] != '\0' ? ", " : "", names[i]);
	fields_add(&fields, "Allow", allow);
	respond_problem(v, &problem, &fields);
}

/* In whole seconds, as RFC 9110, section 10.2.3, has it. */
void
respond_later(struct visit *v, unsigned int status, const char *detail,
	      int64_t after_s)
{
	const struct http_problem problem = {.status = status,
					     .detail = detail};
	struct fields fields = {.n = 0};
	char after[24];

	snprintf(after, sizeof(after), "%lld", (long long)after_s);
	fields_add(&fields, "Retry-After", after);
	respond_problem(v, &problem, &fields);
}

/* --- answers --------------------------------------------------------------- */

/* A strong validator (RFC 9110, section 8.8.1): a digest of the very bytes, cut to
 * 128 bits. */
static void
respond_make_etag(struct slice bytes, char etag[48])
{
	unsigned char digest[SHA256_SIZE];
	char hex[2 * 16 + 1];

	sha256(bytes, digest);
	sha_hex(digest, 16, hex);
	snprintf(etag, 48, "\"%s\"", hex);
}

/* If-None-Match (RFC 9110, section 13.1.2): one of a list, or "*". Ours have no commas
 * and no backslashes, so that a search for the text is enough. */
static bool
respond_has(const char *if_none_match, const char *etag)
{
	return if_none_match != NULL && (strcmp(if_none_match, "*") == 0 ||
					 strstr(if_none_match, etag) != NULL);
}

/* Gives it an ETag if it has none; true: 304 is answered. */
static bool
respond_try_etag(struct visit *v, struct web_call *call, struct fields *fields,
		 char etag[48])
{
	const char *given = web_pairs_get(&call->fields, "ETag");

	if (call->route->method != HTTP_GET || call->status != 200)
		return false;
	if (given == NULL) {
		respond_make_etag(
		    (struct slice){call->bytes.data, call->bytes.len}, etag);
		fields_add(fields, "ETag", etag);
		given = etag;
	}
	return respond_has(http_header(v->request, "If-None-Match"), given);
}

/* A 304 has no body, and no type; a 204 neither. What a call has counted as
 * changed is in the audit trail whatever becomes of the reply. */
void
respond_call(struct visit *v, struct web_call *call)
{
	struct fields fields = {.n = 0};
	struct http_reply reply = {
	    .status = call->status, .type = call->type, .fields = fields.items};
	char etag[48];
	size_t i;

	/* A part of an answer would look like another one. */
	if (call->bytes.failed) {
		respond_refuse(v, 503, "there is no memory", NULL);
		return;
	}
	fields_add_all(&fields, respond_api_fields);
	fields_add(&fields, "X-Request-Id", call->id);
	for (i = 0; i < call->fields.n; i++)
		fields_add(&fields, call->fields.items[i].name,
			   call->fields.items[i].value);
	if (respond_try_etag(v, call, &fields, etag)) {
		reply.status = 304;
		reply.type = NULL;
	} else if (call->status != 204) {
		reply.body = (struct slice){call->bytes.data, call->bytes.len};
	}
	if (reply.body.len == 0)
		reply.type = NULL;
	v->web->n_refused += call->status >= 400;
	respond(v, &reply);
}

/* For routes on the loop, which have no call to answer by. */
void
respond_json(struct visit *v, unsigned int status, json_t *value,
	     const struct http_field *more)
{
	char *text =
	    value != NULL ? json_dumps(value, dump_flags(value)) : NULL;
	struct fields fields = {.n = 0};
	struct http_reply reply = {.status = status, .fields = fields.items};

	fields_add_all(&fields, respond_api_fields);
	fields_add(&fields, "X-Request-Id", v->id);
	fields_add_all(&fields, more);
	if (text != NULL) {
		reply.type = JSON_TYPE;
		reply.body = slice_of(text);
	}
	respond(v, &reply);
	json_decref(value);
	free(text);
}

/* --- pages and files -------------------------------------------------------- */

/* The same for all paths of pages: what is shown is decided in the browser. Its
 * ETag saves the body, not the question: a new version must be seen at once. */
void
respond_page(struct visit *v)
{
	struct fields fields = {.n = 0};
	struct buf body = BUF_INIT;
	struct http_reply reply = {.status = 200,
				   .type = "text/html; charset=utf-8",
				   .fields = fields.items};
	char etag[48];

	/* The version is for those who are known. */
	static_page(v->web->conf, v->who.role > WEB_OPEN ? FLOWRRA_VERSION : "",
		    &body);
	if (body.failed) {
		buf_done(&body);
		respond_refuse(v, 503, "there is no memory", NULL);
		return;
	}
	fields_add_all(&fields, page_fields);
	fields_add(&fields, "X-Request-Id", v->id);
	respond_make_etag((struct slice){body.data, body.len}, etag);
	fields_add(&fields, "ETag", etag);
	if (respond_has(http_header(v->request, "If-None-Match"), etag))
		reply =
		    (struct http_reply){.status = 304, .fields = fields.items};
	else
		reply.body = (struct slice){body.data, body.len};
	respond(v, &reply);
	buf_done(&body);
}

/* A body without a release is copied (http.h). */
static void
respond_release_nothing(void *arg)
{
}

/* "/static/DIGEST/NAME": another digest is one of another version. */
void
respond_static(struct visit *v)
{
	const char *name = v->path + strlen("/static/");
	const size_t n = strlen(static_digest());
	const struct static_file *file;
	struct fields fields = {.n = 0};
	struct http_reply reply = {.status = 200, .fields = fields.items};
	const bool packed =
	    static_takes_gzip(http_header(v->request, "Accept-Encoding"));

	if (strncmp(name, static_digest(), n) != 0 || name[n] != '/' ||
	    (file = static_find(name + n + 1)) == NULL) {
		respond_refuse(v, 404, "there is no such file",
			       "reload the page: it is of another version");
		return;
	}
	fields_add_all(&fields, file_fields);
	if (packed)
		fields_add(&fields, "Content-Encoding", "gzip");
	reply.type = static_type(file->name);
	reply.body = packed ? file->packed : file->bytes;
	/* It lasts as long as the program: no copy. */
	reply.release = respond_release_nothing;
	respond(v, &reply);
}
