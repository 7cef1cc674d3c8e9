/* SPDX-License-Identifier: MIT */
/* What a value of a task may be. The scanner finds what is not; here it is put
 * into words. */
#include "codec/value.h"

#include <stdbool.h>
#include <string.h>

#include "util/err.h"

/* Bytes of a number that a message shows. */
#define SHOWN_MAX 40

static int
inexact_number(const char *number, size_t len, struct err *err)
{
	const size_t shown = len < SHOWN_MAX ? len : SHOWN_MAX;
	bool whole = true;
	size_t i;

	for (i = 0; i < len; i++)
		whole = whole && strchr(".eE", number[i]) == NULL;
	return err_set(err, ERR_DATA,
		       "the number %.*s%s %s; pass it as a string", (int)shown,
		       number, len > shown ? "..." : "",
		       whole ? "does not fit into 64 bits"
			     : "is beyond the range of a double");
}

int
value_check(const struct scan_value *value, struct err *err)
{
	const char *p = value->inexact, *end = value->text.p + value->text.len;
	const char *number = p;

	if (p == NULL)
		return 0;
	if (*p == '\\')
		return err_set(err, ERR_DATA,
			       "a string holds \\u0000, which C and command "
			       "lines cannot hold; encode it, for example in "
			       "base64");
	while (
	    p < end &&
	    (strchr("+-.eE", *p) != NULL ? *p != '\0' : *p >= '0' && *p <= '9'))
		p++;
	return inexact_number(number, (size_t)(p - number), err);
}

int
value_scan(struct slice text, unsigned int max_depth, struct scan_value *ret,
	   struct err *err)
{
	struct scan_value value;

	if (scan_check(text, max_depth, &value, err) != 0 ||
	    value_check(&value, err) != 0)
		return -1;
	*ret = value;
	return 0;
}
