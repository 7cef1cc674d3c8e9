/* SPDX-License-Identifier: MIT */
/*
 * Hides the passwords in secrets, for --dump-config and for messages.
 *
 * A secret is a URL or a connection string whose other parts are worth seeing,
 * so it is not hidden as a whole. The store that reads it may judge it
 * differently, or refuse it; what is hidden must not depend on that.
 */
#include <string.h>

#include "util/buf.h"
#include "util/conf_key.h"

/*
 * The password in "scheme://user:password@host". Where a careless password
 * makes the URL ambiguous, rather too much is taken for one than too little.
 */
static struct slice
find_userinfo(const char *text)
{
	const char *start = strstr(text, "://");
	const char *end = strrchr(text, '@');
	const char *colon;

	start = start != NULL ? start + 3 : text;
	if (end == NULL || end < start)
		return (struct slice){NULL, 0};
	colon = memchr(start, ':', (size_t)(end - start));
	if (colon == NULL || colon + 1 == end)
		return (struct slice){NULL, 0};
	return (struct slice){colon + 1, (size_t)(end - colon - 1)};
}

/* The value of "password=", as in ?password=x or a libpq connection string:
 * up to "&" or a blank, or to the end if it is quoted. */
static struct slice
find_parameter(const char *text)
{
	const char *p = text;
	size_t len;

	for (; (p = strcasestr(p, "passw")) != NULL; p++) {
		if (strncasecmp(p, "password=", 9) == 0)
			p += 9;
		else if (strncasecmp(p, "passwd=", 7) == 0)
			p += 7;
		else
			continue;
		len = *p == '\'' || *p == '"' ? strlen(p) : strcspn(p, "& ");
		if (len > 0)
			return (struct slice){p, len};
	}
	return (struct slice){NULL, 0};
}

/* The URL's part first, then all parameters behind it; what is left between is
 * copied. */
void
conf_key_mask(const char *secret, struct buf *out)
{
	struct slice password = find_userinfo(secret);
	const char *rest = secret;

	if (password.p != NULL) {
		buf_add(out, rest, (size_t)(password.p - rest));
		buf_adds(out, "***");
		rest = password.p + password.len;
	}
	while ((password = find_parameter(rest)).p != NULL) {
		buf_add(out, rest, (size_t)(password.p - rest));
		buf_adds(out, "***");
		rest = password.p + password.len;
	}
	buf_adds(out, rest);
}
