/* SPDX-License-Identifier: MIT */
/*
 * The gate: refuses heads that are malformed, or that a proxy before us could
 * read in another way than libmicrohttpd does (request smuggling, RFC 9112,
 * section 11.2).
 *
 * libmicrohttpd takes bare line feeds, NULs and folded fields. It cuts the head
 * where it has read it, so the places of its parts tell what stood between them:
 * a line ended in CRLF if two bytes follow it. Where a part does not begin at
 * the end of the one before it, something else was there.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/state.h"
#include "http/text.h"

/* No method that is registered has more than 17 letters. */
#define GATE_METHOD_MAX 32

int
http_gate_refuse(struct http_request *request, unsigned int status,
		 const char *detail)
{
	request->refusal.status = status;
	request->refusal.detail = detail;
	return -1;
}

/* What a head has once, if at all: of two a proxy could take the other one. */
static const char *const gate_single[] = {
    "Authorization",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "Idempotency-Key",
    "Last-Event-ID",
    "Origin",
    "Sec-Fetch-Site",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
};

/* RFC 9110, section 5.6.2. */
static bool
is_token(struct slice text)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.p[i]) &&
		    (text.p[i] == '\0' ||
		     strchr("!#$%&'*+-.^_`|~", text.p[i]) == NULL))
			return false;
	return text.len > 0;
}

static bool
has_control(struct slice text, bool tab)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (((unsigned char)text.p[i] < ' ' &&
		     !(tab && text.p[i] == '\t')) ||
		    text.p[i] == 0x7f)
			return true;
	return false;
}

/* --- taking the head from libmicrohttpd's memory -------------------------- */

struct gate_walk {
	struct http_request *request;
	const char *at; /* where the next field has to begin */
	bool by_place;
	bool broken; /* a part is not where it should be */
};

struct slice
http_gate_keep(struct http_request *request, const char *p, size_t len)
{
	struct slice kept = {request->text.data + request->text.len, len};

	buf_add(&request->text, p, len);
	buf_addc(&request->text, '\0');
	return kept;
}

int
http_gate_add(struct http_request *request, struct slice name,
	      struct slice value)
{
	struct http_pair *pair = &request->fields[request->n_fields];

	if (request->n_fields == HTTP_FIELDS_MAX)
		return http_gate_refuse(
		    request, 431, "The request has too many header fields.");
	while (value.len > 0 && (value.p[value.len - 1] == ' ' ||
				 value.p[value.len - 1] == '\t'))
		value.len--;
	pair->name = http_gate_keep(request, name.p, name.len);
	pair->value = http_gate_keep(request, value.p, value.len);
	request->n_fields++;
	return 0;
}

static enum MHD_Result
gate_on_field(void *cls, enum MHD_ValueKind kind, const char *name,
	      size_t name_len, const char *value, size_t value_len)
{
	struct gate_walk *walk = cls;
	const char *p;

	if (value == NULL)
		return MHD_YES;
	if (walk->by_place) {
		walk->broken = name != walk->at || value <= name + name_len;
		for (p = name + name_len + 1; !walk->broken && p < value; p++)
			walk->broken = *p != ' ' && *p != '\t';
		walk->at = value + value_len + 2;
	}
	if (walk->broken)
		return MHD_NO;
	return http_gate_add(walk->request, (struct slice){name, name_len},
			     (struct slice){value, value_len}) == 0
		   ? MHD_YES
		   : MHD_NO;
}

/* The text has room for all, so that its parts never move. */
static int
gate_take(struct http_request *request, struct MHD_Connection *mhd,
	  const char *method, const char *version)
{
	struct gate_walk walk = {.request = request,
				 .by_place = !http_parser_is_strict()};
	const char *end = request->where + strlen(request->target);
	size_t size = MHD_get_connection_info(
			  mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			  ->header_size;

	request->after = method + size;
	if (size > request->conn->server->limits.max_head)
		return http_gate_refuse(request, 431,
					"The head of the request is too long.");
	if (buf_reserve(&request->text, 2 * size) != 0)
		return http_gate_refuse(request, 503,
					"There is no memory for the request.");
	request->method_name =
	    http_gate_keep(request, method, strlen(method)).p;
	walk.broken =
	    request->where != method + strlen(method) + 1 || version != end + 1;
	walk.at = version + strlen(version) + 2;
	if (!walk.broken)
		MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, gate_on_field,
					    &walk);
	if (request->refusal.status != 0)
		return -1;
	if (walk.by_place && (walk.broken || walk.at + 2 != method + size))
		return http_gate_refuse(
		    request, 400,
		    "The head of the request is malformed: a "
		    "line that does not end in CRLF, a folded "
		    "line, a NUL, or a space too much.");
	return 0;
}

/* --- judging it ------------------------------------------------------------- */

static int
gate_check_fields(struct http_request *request)
{
	size_t i;

	for (i = 0; i < request->n_fields; i++) {
		if (!is_token(request->fields[i].name))
			return http_gate_refuse(
			    request, 400,
			    "The name of a header field is not "
			    "a token.");
		if (has_control(request->fields[i].value, true))
			return http_gate_refuse(
			    request, 400,
			    "The value of a header field has "
			    "a control character.");
	}
	for (i = 0; i < sizeof(gate_single) / sizeof(gate_single[0]); i++)
		if (http_header_count(request, gate_single[i]) > 1)
			return http_gate_refuse(
			    request, 400,
			    "A header field that may come once "
			    "comes twice.");
	return 0;
}

/* RFC 3986, section 3.2: a name or an address, and a port. */
static bool
is_authority(const char *host)
{
	return *host != '\0' && host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "abcdefghijklmnopqrstuvwxyz"
						  "0123456789.-_~:[]")] == '\0';
}

static int
gate_check_method(struct http_request *request)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
	    {"GET", HTTP_GET}, {"HEAD", HTTP_GET},	{"POST", HTTP_POST},
	    {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE},
	};
	size_t i;

	if (strlen(request->method_name) > GATE_METHOD_MAX ||
	    !is_token(slice_of(request->method_name)))
		return http_gate_refuse(request, 400,
					"The method is not a token.");
	request->method = HTTP_OTHER;
	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(request->method_name, methods[i].name) == 0)
			request->method = methods[i].method;
	return 0;
}

/*
 * libmicrohttpd (0.9.75) takes a quotation mark that is all of a value for the
 * opening and the closing one, and the value for -1 bytes long. Its cookies end
 * at a comma, too.
 */
static bool
gate_is_lone_quote(const char *cookie)
{
	const char *p = cookie + strcspn(cookie, ",;=");
	bool quoted;

	for (; *p != '\0'; p += strcspn(p, ",;=")) {
		if (*p++ != '=')
			continue;
		if (strcmp(p, "\"") == 0)
			return true;
		for (quoted = false;
		     *p != '\0' && (quoted || (*p != ',' && *p != ';')); p++)
			quoted ^= *p == '"';
	}
	return false;
}

static size_t
gate_count_cookies(const char *cookie)
{
	size_t n = 1;

	for (; *cookie != '\0'; cookie++)
		n += *cookie == ';' || *cookie == ',';
	return n;
}

unsigned int
http_gate_unreadable(const char *length, const char *cookie,
		     const char **ret_detail)
{
	if (length != NULL &&
	    (*length == '\0' || length[strspn(length, "0123456789")] != '\0' ||
	     strlen(length) > HTTP_LENGTH_DIGITS)) {
		*ret_detail = "The Content-Length is not a number.";
		return 400;
	}
	if (cookie != NULL && gate_count_cookies(cookie) > HTTP_COOKIES_MAX) {
		*ret_detail = "The request has too many cookies.";
		return 431;
	}
	if (cookie != NULL && gate_is_lone_quote(cookie)) {
		*ret_detail = "The value of a cookie is a lone quotation mark.";
		return 400;
	}
	return 0;
}

/* How long the body is; a length that can be read in two ways is refused. */
static int
gate_check_framing(struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");
	const char *coding = http_header(request, "Transfer-Encoding");
	const char *expect = http_header(request, "Expect");
	const char *detail;
	unsigned int status;

	if (coding != NULL && length != NULL)
		return http_gate_refuse(
		    request, 400,
		    "The request has both a Content-Length and "
		    "a Transfer-Encoding.");
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		return http_gate_refuse(
		    request, 501, "This Transfer-Encoding is not supported.");
	if (coding != NULL ||
	    (length == NULL &&
	     (request->method == HTTP_POST || request->method == HTTP_PUT)))
		return http_gate_refuse(
		    request, 411,
		    "The request needs a Content-Length; send a body, "
		    "such as {}.");
	status = http_gate_unreadable(length, http_header(request, "Cookie"),
				      &detail);
	if (status != 0)
		return http_gate_refuse(request, status, detail);
	request->length = length != NULL ? strtoull(length, NULL, 10) : 0;
	if (request->length > 0 &&
	    (request->method == HTTP_GET || request->method == HTTP_DELETE))
		return http_gate_refuse(
		    request, 400, "A request with this method has no body.");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return http_gate_refuse(request, 417,
					"This expectation is not supported.");
	return 0;
}

/* Takes "http://host" off an absolute target, which must name the same host as
 * the field Host: RFC 9112, section 3.2.2, has the field ignored, and a proxy
 * may have looked at that one. */
static const char *
gate_origin_form(const struct http_request *request)
{
	const char *target = request->target;
	const char *host = http_header(request, "Host");
	size_t len = strlen(host);

	if (strncasecmp(target, "http://", 7) == 0)
		target += 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		target += 8;
	else
		return target;
	if (strncasecmp(target, host, len) != 0)
		return NULL;
	target += len;
	return *target == '\0' ? "/" : target;
}

/* Segments "." and ".." would be taken away by a proxy or a browser, or not. */
static bool
has_dots(const char *path)
{
	size_t len;

	while (*path == '/') {
		path++;
		len = strcspn(path, "/");
		if ((len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return true;
		path += len;
	}
	return false;
}

static bool
has_encoded_slash(struct slice raw)
{
	size_t i;

	for (i = 0; i + 2 < raw.len; i++)
		if (raw.p[i] == '%' && (strncasecmp(raw.p + i, "%2f", 3) == 0 ||
					strncasecmp(raw.p + i, "%5c", 3) == 0))
			return true;
	return false;
}

static int
gate_check_target(struct http_request *request)
{
	const char *target = gate_origin_form(request), *p;
	struct buf path = BUF_INIT;
	struct slice raw;

	if (target == NULL || *target != '/')
		return http_gate_refuse(
		    request, 400, "The target is not a path of this host.");
	for (p = target; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return http_gate_refuse(
			    request, 400,
			    "The target has a character that "
			    "needs an escape.");
	raw = (struct slice){target, strcspn(target, "?")};
	request->query = target[raw.len] == '?' ? target + raw.len + 1 : "";
	if (has_encoded_slash(raw) || memchr(raw.p, '\\', raw.len) != NULL ||
	    http_unescape(raw, false, &path) != NULL || path.failed) {
		buf_done(&path);
		return http_gate_refuse(request, 400,
					"The path has a bad escape, an encoded "
					"slash, or bytes that are not UTF-8.");
	}
	request->path = buf_take(&path);
	if (has_dots(request->path) ||
	    has_control(slice_of(request->path), false))
		return http_gate_refuse(request, 400,
					"The path has a segment of dots, or a "
					"control character.");
	return 0;
}

int
http_gate_judge(struct http_request *request)
{
	const char *host;

	if (gate_check_fields(request) != 0)
		return -1;
	host = http_header(request, "Host");
	if (host == NULL)
		return http_gate_refuse(request, 400,
					"The request has no Host.");
	if (!is_authority(host))
		return http_gate_refuse(request, 400, "The Host is malformed.");
	if (gate_check_method(request) != 0 || gate_check_framing(request) != 0)
		return -1;
	return gate_check_target(request);
}

int
http_gate(struct http_request *request, struct MHD_Connection *mhd,
	  const char *method, const char *version)
{
	request->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	if (gate_take(request, mhd, method, version) != 0)
		return -1;
	return http_gate_judge(request);
}
