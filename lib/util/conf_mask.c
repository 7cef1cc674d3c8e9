/* SPDX-License-Identifier: MIT */
/*
 * Hides the passwords in secrets, for --dump-config and for messages.
 *
 * A secret is a URL or a connection string whose other parts are worth seeing,
 * so it is not hidden as a whole. The store that reads it may judge it
 * differently, or refuse it; what is hidden must not depend on that.
 */
#include <stdbool.h>
#include <string.h>

#include "util/buf.h"
#include "util/conf_key.h"

/*
 * Whether what stands before the '@' without a colon is a user. Redis knows none
 * without a password, so there it is rather a password whose ':' was forgotten;
 * and a second '@' is part of something that should have been escaped.
 */
static bool
is_only_user(const char *scheme, const char *start, const char *end)
{
	return strncmp(scheme, "redis", 5) != 0 &&
	       strncmp(scheme, "unix", 4) != 0 &&
	       memchr(start, '@', (size_t)(end - start)) == NULL;
}

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
	if (end == NULL || end <= start)
		return (struct slice){NULL, 0};
	colon = memchr(start, ':', (size_t)(end - start));
	if (colon != NULL)
		start = colon + 1;
	else if (is_only_user(text, start, end))
		return (struct slice){NULL, 0};
	if (start == end)
		return (struct slice){NULL, 0};
	return (struct slice){start, (size_t)(end - start)};
}

/* The value of "password=", as in ?password=x or a libpq connection string,
 * where blanks may stand around the '=': up to "&" or a blank, or to the end if
 * it is quoted. */
static struct slice
find_parameter(const char *text)
{
	const char *p = text, *value;
	size_t len;

	for (; (p = strcasestr(p, "passw")) != NULL; p++) {
		if (strncasecmp(p, "password", 8) == 0)
			value = p + 8;
		else if (strncasecmp(p, "passwd", 6) == 0)
			value = p + 6;
		else
			continue;
		value += strspn(value, " \t");
		if (*value != '=')
			continue;
		value += 1 + strspn(value + 1, " \t");
		len = *value == '\'' || *value == '"' ? strlen(value)
						      : strcspn(value, "& ");
		if (len > 0)
			return (struct slice){value, len};
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
