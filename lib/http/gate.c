/* SPDX-License-Identifier: MIT */
/*
 * The gate: judges a head, whether it was taken from libmicrohttpd's memory
 * (gate_take.c) or read here (head.c).
 *
 * It refuses what is malformed, and what a proxy in front of us could read in
 * another way than libmicrohttpd does. Two readings of the same bytes let an
 * attacker smuggle a request past the checks of the proxy (RFC 9112, section
 * 11.2). Where the RFC leaves a choice the stricter one is taken: browsers and
 * libraries send nothing of what is refused.
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

/* Fields that a head has once or not at all. Of two, a proxy could check the one
 * and we could believe the other. */
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

/* RFC 9110, section 5.6.2. A blank before the colon makes the name none: readers
 * differ in whether it belongs to the name (RFC 9112, section 5.1). */
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

/* Such a character could begin a line of its own in a log, or in a head that a
 * value is copied into. A tab is a blank in a value (RFC 9110, section 5.5), but
 * not in a path. */
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

/* --- judging it ------------------------------------------------------------- */

/* Names before values: what follows looks fields up by their names. */
static int
gate_check_fields(struct http_request *request)
{
	size_t i;

	for (i = 0; i < request->n_fields; i++) {
		if (!is_token(request->fields[i].name))
			return http_gate_refuse(
			    request, 400,
			    "the name of a header field is not a token");
		if (has_control(request->fields[i].value, true))
			return http_gate_refuse(request, 400,
						"the value of a header field "
						"has a control character");
	}
	for (i = 0; i < sizeof(gate_single) / sizeof(gate_single[0]); i++)
		if (http_header_count(request, gate_single[i]) > 1)
			return http_gate_refuse(
			    request, 400,
			    "a header field that may come once comes twice");
	return 0;
}

/* RFC 3986, section 3.2: a name or an address, and a port. Without user
 * information, which no browser sends here, and which would hide the real name
 * from a person ("our.name@evil"). Whether the name is ours the user decides. */
static bool
is_authority(const char *host)
{
	return *host != '\0' && host[strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						  "abcdefghijklmnopqrstuvwxyz"
						  "0123456789.-_~:[]")] == '\0';
}

/* Methods differ in case (RFC 9110, section 9.1): "get" is another one. */
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
					"the method is not a token");
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

/* As libmicrohttpd divides them; empty ones count, which errs to the safe side. */
static size_t
gate_count_cookies(const char *cookie)
{
	size_t n = 1;

	for (; *cookie != '\0'; cookie++)
		n += *cookie == ';' || *cookie == ',';
	return n;
}

/* What libmicrohttpd would answer itself, with a head that it sends twice. Only
 * these values are needed, so that one that it has not let us see yet can be
 * judged, too (http_conns_refuse_unread()). */
unsigned int
http_gate_unreadable(const char *length, const char *cookie,
		     const char **ret_detail)
{
	if (length != NULL &&
	    (*length == '\0' || length[strspn(length, "0123456789")] != '\0' ||
	     strlen(length) > HTTP_LENGTH_DIGITS)) {
		*ret_detail = "the Content-Length is not a number";
		return 400;
	}
	if (cookie != NULL && gate_count_cookies(cookie) > HTTP_COOKIES_MAX) {
		*ret_detail = "the request has too many cookies";
		return 431;
	}
	if (cookie != NULL && gate_is_lone_quote(cookie)) {
		*ret_detail = "the value of a cookie is a lone quotation mark";
		return 400;
	}
	return 0;
}

/*
 * How long the body is (RFC 9112, section 6.3). A length that can be read in two
 * ways is refused, for it is what smuggling is made of: both fields together, or
 * a sign, a blank or a comma in a number. Bodies in chunks are not read at all;
 * 411 asks for a length in their place.
 */
static int
gate_check_framing(struct http_request *request)
{
	const char *length = http_header(request, "Content-Length");
	const char *coding = http_header(request, "Transfer-Encoding");
	const char *expect = http_header(request, "Expect");
	const char *detail;
	unsigned int status;

	if (coding != NULL && length != NULL)
		return http_gate_refuse(request, 400,
					"the request has both a Content-Length "
					"and a Transfer-Encoding");
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		return http_gate_refuse(
		    request, 501, "this Transfer-Encoding is not supported");
	if (coding != NULL ||
	    (length == NULL &&
	     (request->method == HTTP_POST || request->method == HTTP_PUT)))
		return http_gate_refuse(
		    request, 411,
		    "the request needs a Content-Length; send a body, "
		    "such as {}");
	status = http_gate_unreadable(length, http_header(request, "Cookie"),
				      &detail);
	if (status != 0)
		return http_gate_refuse(request, status, detail);
	request->length = length != NULL ? strtoull(length, NULL, 10) : 0;
	if (request->length > 0 &&
	    (request->method == HTTP_GET || request->method == HTTP_DELETE))
		return http_gate_refuse(
		    request, 400, "a request with this method has no body");
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return http_gate_refuse(request, 417,
					"this expectation is not supported");
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

/* "%2F" and "%5C". A proxy that matches paths before it decodes them sees other
 * segments than one that decodes first. */
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

/* The path is decoded once, here, and judged as decoded; nobody decodes it again,
 * so that "%252e" stays a name. The query is left as it came. */
static int
gate_check_target(struct http_request *request)
{
	const char *target = gate_origin_form(request), *p;
	struct buf path = BUF_INIT;
	struct slice raw;

	if (target == NULL || *target != '/')
		return http_gate_refuse(
		    request, 400, "the target is not a path of this host");
	for (p = target; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return http_gate_refuse(
			    request, 400,
			    "the target has a character that needs an escape");
	raw = (struct slice){target, strcspn(target, "?")};
	request->query = target[raw.len] == '?' ? target + raw.len + 1 : "";
	if (has_encoded_slash(raw) || memchr(raw.p, '\\', raw.len) != NULL ||
	    http_unescape(raw, false, &path) != NULL || path.failed) {
		buf_done(&path);
		return http_gate_refuse(request, 400,
					"the path has a bad escape, an encoded "
					"slash, or bytes that are not UTF-8");
	}
	request->path = buf_take(&path);
	if (has_dots(request->path) ||
	    has_control(slice_of(request->path), false))
		return http_gate_refuse(
		    request, 400,
		    "the path has a segment of dots, or a control character");
	return 0;
}

/* Host before the rest: an absolute target is compared with it. */
int
http_gate_judge(struct http_request *request)
{
	const char *host;

	if (gate_check_fields(request) != 0)
		return -1;
	host = http_header(request, "Host");
	if (host == NULL)
		return http_gate_refuse(request, 400,
					"the request has no Host");
	if (!is_authority(host))
		return http_gate_refuse(request, 400, "the Host is malformed");
	if (gate_check_method(request) != 0 || gate_check_framing(request) != 0)
		return -1;
	return gate_check_target(request);
}
