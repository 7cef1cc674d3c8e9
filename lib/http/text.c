/* SPDX-License-Identifier: MIT */
/*
 * Texts: queries, cookies, escapes, and the names of statuses.
 */
#include "http/text.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "http/http.h"
#include "util/err.h"
#include "util/utf8.h"

/* -1: it is none. strtol() would take blanks and a sign as well. */
static int
text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* From where this text begins: what stands before it was checked. */
static const char *
text_check_utf8(const struct buf *text, size_t from)
{
	size_t len;

	for (; from < text->len; from += len) {
		len = utf8_length(text->data + from, text->len - from);
		if (len == 0)
			return "has bytes that are not UTF-8";
	}
	return NULL;
}

/* RFC 3986, section 2.1, and for forms the URL standard's "+". A NUL would cut the
 * text short for those who read it as a string of C. What was decoded before an
 * error stays in `out`: the caller throws it away. */
const char *
http_unescape(struct slice in, bool form, struct buf *out)
{
	size_t i, from = out->len;
	int high, low;
	char c;

	for (i = 0; i < in.len; i++) {
		c = in.p[i];
		if (c == '%') {
			high =
			    i + 2 < in.len ? text_hex_digit(in.p[i + 1]) : -1;
			low = high >= 0 ? text_hex_digit(in.p[i + 2]) : -1;
			if (low < 0)
				return "has a % without two hexadecimal digits";
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		if (c == '\0')
			return "has a NUL";
		buf_addc(out, c);
	}
	return text_check_utf8(out, from);
}

/* One "name=value" of a query, both decoded. */
struct text_pair {
	struct buf name;
	struct buf value;
};

/* Takes the next pair that is not empty. 1, 0 at the end, -1 with *err, which names
 * the parameter as far as it could be read. */
static int
query_next(const char **query, struct text_pair *pair, struct err *err)
{
	const char *p, *equals, *wrong;
	size_t len;

	*query += strspn(*query, "&");
	p = *query;
	if (*p == '\0')
		return 0;
	len = strcspn(p, "&");
	*query += len;
	equals = memchr(p, '=', len);
	buf_reset(&pair->name);
	buf_reset(&pair->value);
	/* So that their text is never NULL. */
	buf_adds(&pair->name, "");
	buf_adds(&pair->value, "");
	wrong = http_unescape(
	    (struct slice){p, equals != NULL ? (size_t)(equals - p) : len},
	    true, &pair->name);
	if (wrong != NULL)
		return err_set(err, ERR_DATA,
			       "a parameter's name in the query %s", wrong);
	if (equals != NULL)
		wrong = http_unescape(
		    (struct slice){equals + 1, len - (size_t)(equals + 1 - p)},
		    true, &pair->value);
	if (wrong != NULL)
		return err_set(err, ERR_DATA,
			       "the parameter \"%.64s\" of the query %s",
			       pair->name.data, wrong);
	if (pair->name.failed || pair->value.failed)
		return err_nomem(err);
	return 1;
}

/* One pair of buffers for all: a query may have thousands of parameters. */
int
http_query_each(const char *query,
		int (*on_pair)(const char *name, const char *value, void *arg,
			       struct err *err),
		void *arg, struct err *err)
{
	struct text_pair pair = {.name = BUF_INIT, .value = BUF_INIT};
	int rc;

	while ((rc = query_next(&query, &pair, err)) == 1) {
		rc = on_pair(pair.name.data, pair.value.data, arg, err);
		if (rc != 0)
			break;
	}
	buf_done(&pair.name);
	buf_done(&pair.value);
	return rc;
}

/* Pairs of "name=value", as RFC 6265, section 4.2.1, has them: divided by "; ",
 * but browsers differ in the space. The first of a name counts: it is that of the
 * longest path. */
struct slice
http_cookie(const char *header, const char *name)
{
	size_t len = strlen(name), n;
	struct slice value = {"", 0};

	while (header != NULL && *header != '\0') {
		header += strspn(header, " \t;");
		n = strcspn(header, ";");
		if (n > len && strncmp(header, name, len) == 0 &&
		    header[len] == '=') {
			value.p = header + len + 1;
			value.len = n - len - 1;
			while (value.len > 0 &&
			       (value.p[value.len - 1] == ' ' ||
				value.p[value.len - 1] == '\t'))
				value.len--;
			return value;
		}
		header += n;
	}
	return value;
}

/* As in Connection and Upgrade (RFC 9110, section 5.6.1), where a token may be one
 * of several: Firefox sends "keep-alive, Upgrade". */
bool
http_has_token(const char *list, const char *token)
{
	size_t len;

	while (list != NULL && *list != '\0') {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == strlen(token) && strncasecmp(list, token, len) == 0)
			return true;
		list += len;
	}
	return false;
}

const char *
http_status_text(unsigned int status)
{
	const char *text = MHD_get_reason_phrase_for(status);

	return text != NULL ? text : "Unknown";
}
