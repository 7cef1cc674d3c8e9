/* SPDX-License-Identifier: MIT */
/*
 * Problems: what is refused or has failed, as programs read it (RFC 9457).
 *
 * One form for the server's own refusals and for those of its users: a client
 * cannot know which of them has answered. It is written by hand, since no library
 * of JSON is needed here otherwise, and half of a text must not be invalid.
 */
#include <stdio.h>

#include "http/http.h"
#include "util/utf8.h"
#include "util/uuid.h"

/* A client tells cases apart by this, not by the detail, which is for people. */
static const struct {
	unsigned int status;
	const char *code;
} problem_codes[] = {
    {400, "bad_request"},
    {401, "unauthorized"},
    {403, "forbidden"},
    {404, "not_found"},
    {405, "method_not_allowed"},
    {408, "timeout"},
    {409, "refused"},
    {411, "length_required"},
    {412, "precondition_failed"},
    {413, "too_large"},
    {414, "too_large"},
    {415, "unsupported_media_type"},
    {417, "expectation_failed"},
    {421, "misdirected"},
    {422, "data"},
    {426, "upgrade_required"},
    {428, "precondition_failed"},
    {429, "too_many"},
    {431, "too_large"},
    {501, "not_implemented"},
    {503, "busy"},
    {504, "timeout"},
    {505, "not_supported"},
};

const char *
http_problem_code(unsigned int status)
{
	size_t i;

	for (i = 0; i < sizeof(problem_codes) / sizeof(problem_codes[0]); i++)
		if (problem_codes[i].status == status)
			return problem_codes[i].code;
	return status < 500 ? "bad_request" : "internal";
}

/* The last 22 characters of a random UUID: 80 bits, enough to find a line of the
 * log by, and short enough to be read out to somebody. */
void
http_make_id(char id[HTTP_ID_SIZE])
{
	char uuid[UUID_TEXT_SIZE];

	uuid_make_random(uuid);
	snprintf(id, HTTP_ID_SIZE, "%s", uuid + UUID_TEXT_SIZE - 1 - 22);
}

static bool
problem_is_utf8(struct slice text)
{
	size_t i, n;

	for (i = 0; i < text.len; i += n)
		if ((n = utf8_length(text.p + i, text.len - i)) == 0)
			return false;
	return true;
}

/* RFC 8259, section 7. A text may quote what a peer has sent; what is not UTF-8
 * is left out as a whole, rather than repaired into something else. */
static void
problem_add_text(struct buf *out, const char *name, const char *text)
{
	buf_addf(out, ",\"%s\":", name);
	if (text == NULL || !problem_is_utf8(slice_of(text))) {
		buf_adds(out, "null");
		return;
	}
	buf_addc(out, '"');
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\')
			buf_addf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			buf_addf(out, "\\u%04x", *text);
		else
			buf_addc(out, *text);
	buf_addc(out, '"');
}

void
http_problem_write(const struct http_problem *p, struct buf *out)
{
	buf_addf(out, "{\"status\":%u", p->status);
	problem_add_text(out, "code",
			 p->code != NULL ? p->code
					 : http_problem_code(p->status));
	problem_add_text(out, "detail", p->detail);
	problem_add_text(out, "field", p->field);
	problem_add_text(out, "hint", p->hint);
	problem_add_text(out, "request_id", p->request_id);
	if (p->column > 0) {
		buf_addf(out, ",\"column\":%zu", p->column);
		problem_add_text(out, "token", p->token);
	}
	buf_addc(out, '}');
}
