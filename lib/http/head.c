/* SPDX-License-Identifier: MIT */
/*
 * Reads the head of a request by the letter of RFC 9112, without leniency.
 *
 * The first head of a plain connection is read here before libmicrohttpd has the
 * connection: its own pages for what it cannot read are not those of our API,
 * some of them have two heads, and some heads it answers by closing.
 */
#include <string.h>

#include "http/state.h"

/* Takes a line without its CRLF. 1; 0: its end is not there yet; -1: it has another
 * end. A bare LF may be taken for a line's end (RFC 9112, section 2.2), but who
 * does so sees other lines than who does not. */
static int
head_line(struct slice *rest, struct slice *line)
{
	size_t i;

	for (i = 0; i < rest->len; i++) {
		if (rest->p[i] == '\n' || rest->p[i] == '\0')
			return -1;
		if (rest->p[i] != '\r')
			continue;
		if (i + 1 == rest->len)
			return 0;
		if (rest->p[i + 1] != '\n')
			return -1;
		*line = (struct slice){rest->p, i};
		rest->p += i + 2;
		rest->len -= i + 2;
		return 1;
	}
	return 0;
}

/* RFC 9112, section 2.3: by its form, not by a list. 505 tells a client of HTTP/2
 * that asks without TLS more than 400 would. */
static int
head_version(struct http_request *request, struct slice version)
{
	if (version.len != 8 || memcmp(version.p, "HTTP/", 5) != 0 ||
	    version.p[6] != '.' || version.p[5] < '0' || version.p[5] > '9' ||
	    version.p[7] < '0' || version.p[7] > '9')
		return http_gate_refuse(
		    request, 400,
		    "the first line is not that of an HTTP request");
	if (version.p[5] != '1')
		return http_gate_refuse(request, 505,
					"only HTTP/1.1 is supported");
	request->http_1_0 = version.p[7] == '0';
	return 0;
}

/* Method, target and version, with one space between them (RFC 9112, section 3).
 * More spaces would be a target with a space, which the gate refuses. */
static int
head_first_line(struct http_request *request, struct slice line)
{
	const char *target = memchr(line.p, ' ', line.len), *version;
	size_t left;

	if (target == NULL)
		return http_gate_refuse(
		    request, 400,
		    "the first line is not that of an HTTP request");
	target++;
	left = (size_t)(line.p + line.len - target);
	version = memchr(target, ' ', left);
	if (version == NULL)
		return http_gate_refuse(request, 400,
					"the first line has no version");
	version++;
	request->method_name =
	    http_gate_keep(request, line.p, (size_t)(target - 1 - line.p)).p;
	request->target = strndup(target, (size_t)(version - 1 - target));
	if (request->target == NULL)
		return http_gate_refuse(request, 503,
					"there is no memory for the request");
	return head_version(
	    request,
	    (struct slice){version, (size_t)(line.p + line.len - version)});
}

/* Blanks around the value are not part of it; http_gate_add() takes those behind
 * it off. Folding is obsolete (RFC 9112, section 5.2), and read in three ways. */
static int
head_field(struct http_request *request, struct slice line)
{
	const char *colon = memchr(line.p, ':', line.len), *value;
	size_t len;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return http_gate_refuse(request, 400,
					"a header field is folded");
	if (colon == NULL)
		return http_gate_refuse(request, 400,
					"a line of the head has no colon");
	value = colon + 1;
	len = (size_t)(line.p + line.len - value);
	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	return http_gate_add(request,
			     (struct slice){line.p, (size_t)(colon - line.p)},
			     (struct slice){value, len});
}

/* A TLS handshake, or noise: nothing that will become a request. */
static bool
head_is_noise(struct slice bytes)
{
	return bytes.len > 0 &&
	       ((unsigned char)bytes.p[0] >= 0x7f ||
		((unsigned char)bytes.p[0] <= ' ' && bytes.p[0] != '\r'));
}

/* 1, 0 or -1, as http_head_read() returns. */
static int
head_lines(struct http_request *request, struct slice rest)
{
	struct slice line;
	int rc;

	while ((rc = head_line(&rest, &line)) == 1) {
		if (request->method_name == NULL) {
			if (line.len == 0)
				continue; /* RFC 9112, section 2.2 */
			if (head_first_line(request, line) != 0)
				return -1;
		} else if (line.len == 0) {
			return 1;
		} else if (head_field(request, line) != 0) {
			return -1;
		}
	}
	return rc;
}

/* With too many bytes and no end the first line tells what is too long: a target
 * (414) or the fields (431). */
int
http_head_read(struct http_request *request, struct slice bytes, size_t max)
{
	int rc;

	if (head_is_noise(bytes))
		return http_gate_refuse(request, 400,
					"This is not HTTP; is it TLS?");
	if (buf_reserve(&request->text, 2 * bytes.len) != 0)
		return http_gate_refuse(request, 503,
					"there is no memory for the request");
	rc = head_lines(request, bytes);
	if (rc < 0 && request->refusal.status == 0)
		return http_gate_refuse(
		    request, 400,
		    "a line of the head does not end in CRLF, or has a NUL");
	if (rc == 0 && bytes.len > max)
		return http_gate_refuse(
		    request, request->method_name != NULL ? 431 : 414,
		    "the head of the request is too long");
	return rc;
}
