/* SPDX-License-Identifier: MIT */
/*
 * The [module NAME] sections, made ready for executors.
 *
 * Credentials are read here, at the start and at each reload, and not by the
 * executors: those have no folder of credentials, in which a module would find
 * those of the others, and ours. What was read is wiped when it has been sent.
 */
#include "module_config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/scan.h"
#include "util/buf.h"
#include "util/conf.h"
#include "util/conf_module.h"
#include "util/err.h"
#include "util/utf8.h"

static bool
is_utf8(const char *text, size_t len)
{
	size_t n;

	for (; len > 0; text += n, len -= n)
		if ((n = utf8_length(text, len)) == 0)
			return false;
	return true;
}

/* Returns as conf_module_read() does. */
static int
write_value(const struct conf_module *m, const struct conf_module_value *v,
	    struct buf *out, struct err *err)
{
	struct buf text = BUF_INIT;
	int r = conf_module_read(m, v, &text, err);

	/* JSON has no other bytes, and a password must not be guessed at. */
	if (r == 0 && !is_utf8(text.data, text.len))
		r = err_set(err, ERR_CONFIG,
			    "%s:%d: [module %s] %s: it is not UTF-8; encode it "
			    "as base64, for example",
			    m->path, v->line, m->name, v->key);
	if (r == 0) {
		scan_quote(out, slice_of(v->key));
		buf_addc(out, ':');
		scan_quote(out, (struct slice){text.data, text.len});
	}
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_done(&text);
	return r;
}

static int
write_module(const struct conf_module *m, struct buf *out, struct err *err)
{
	size_t begun, i;
	int r = 0;

	scan_quote(out, slice_of(m->name));
	buf_addc(out, ':');
	begun = out->len;
	buf_addc(out, '{');
	for (i = 0; i < m->n && r == 0; i++) {
		if (i > 0)
			buf_addc(out, ',');
		r = write_value(m, &m->values[i], out, err);
	}
	if (r == 1) {
		out->len = begun;
		buf_adds(out, "null");
		return 0;
	}
	buf_addc(out, '}');
	return r;
}

char *
module_config_write(const struct conf *conf, struct err *err)
{
	struct buf out = BUF_INIT;
	size_t i;
	int r = 0;

	buf_addc(&out, '{');
	for (i = 0; i < conf->n_modules && r == 0; i++) {
		if (i > 0)
			buf_addc(&out, ',');
		r = write_module(conf->modules[i], &out, err);
	}
	buf_addc(&out, '}');
	if (r == 0 && !out.failed)
		return buf_take(&out);
	if (r == 0)
		err_nomem(err);
	module_config_free(buf_take(&out));
	return NULL;
}

void
module_config_free(char *json)
{
	if (json != NULL)
		explicit_bzero(json, strlen(json));
	free(json);
}
