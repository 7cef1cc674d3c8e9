/* SPDX-License-Identifier: MIT */
/*
 * The gate's eyes: takes the head of a request out of libmicrohttpd's memory.
 *
 * libmicrohttpd before 1.0 reads bare line feeds, NULs and folded fields as if
 * they were none, and says nothing of them. But it cuts the head into its parts
 * where it has read it, and leaves them there: so the places of the parts tell
 * what stood between them. A line ended in CRLF if two bytes follow it; where a
 * part does not begin at the end of the one before it, something else was there.
 */
#include <stdlib.h>
#include <string.h>

#include "http/state.h"

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
		    request, 431, "the request has too many header fields");
	while (value.len > 0 && (value.p[value.len - 1] == ' ' ||
				 value.p[value.len - 1] == '\t'))
		value.len--;
	pair->name = http_gate_keep(request, name.p, name.len);
	pair->value = http_gate_keep(request, value.p, value.len);
	request->n_fields++;
	return 0;
}

/* A field begins where the one before it ended, and has a colon and blanks
 * between its parts: a folded line, a NUL or a bare line feed would show here. */
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

/* The text has room for all, so that its parts never move: the head at most, and
 * a NUL behind each part of it. */
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
					"the head of the request is too long");
	if (buf_reserve(&request->text, 2 * size) != 0)
		return http_gate_refuse(request, 503,
					"there is no memory for the request");
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
		    "the head of the request is malformed: a line that does "
		    "not end in CRLF, a folded line, a NUL, or an extra "
		    "space");
	return 0;
}

/* HTTP/1.0 is taken: health checks of load balancers speak it. */
int
http_gate(struct http_request *request, struct MHD_Connection *mhd,
	  const char *method, const char *version)
{
	request->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
	if (gate_take(request, mhd, method, version) != 0)
		return -1;
	return http_gate_judge(request);
}
