/* SPDX-License-Identifier: MIT */
/* Whatever a command line holds, it is cut or refused; and values never make
 * more words of it, or reach beyond their own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/argv_template.h"
#include "util/buf.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What no command line can hold stands for each value. */
#define VALUE "\x01"

static int
value(void *arg, const struct argv_template_placeholder *place, struct buf *out,
      struct err *err)
{
	unsigned int *places = arg;

	if (place->name != NULL ? place->name[0] == '\0'
				: place->number > ARGV_TEMPLATE_NUMBER_MAX)
		abort();
	++*places;
	buf_adds(out, VALUE);
	return 0;
}

static void
check(const struct argv_template *w, size_t i, size_t len)
{
	struct buf out = BUF_INIT;
	unsigned int places = 0, found = 0;
	const char *p;

	if (argv_template_fill(w, i, value, &places, &out, NULL) != 0)
		abort();
	for (p = out.data; p != NULL && (p = strstr(p, VALUE)) != NULL; p++)
		found++;
	if (found != places || (places == 0) != argv_template_is_fixed(w, i) ||
	    out.len > len ||
	    strncmp(out.data ? out.data : "", argv_template_prefix(w, i),
		    strlen(argv_template_prefix(w, i))) != 0)
		abort();
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct argv_template *w;
	char *text;
	size_t i;

	if (memchr(data, VALUE[0], size) != NULL ||
	    (text = strndup((const char *)data, size)) == NULL)
		return 0;
	w = argv_template_parse(text, &err);
	if (w == NULL && (err.code != ERR_CONFIG || err.msg[0] == '\0'))
		abort();
	for (i = 0; w != NULL && i < argv_template_count(w); i++)
		check(w, i, size);
	argv_template_free(w);
	free(text);
	return 0;
}
