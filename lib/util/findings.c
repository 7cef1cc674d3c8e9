/* SPDX-License-Identifier: MIT */
#include "util/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/log.h"
#include "util/utf8.h"

/* Takes the text. A finding that is lost must not make a check succeed. */
static void
findings_put(struct findings *f, bool warning, char *text)
{
	struct finding *more =
	    text != NULL ? reallocarray(f->list, f->n + 1, sizeof(*more))
			 : NULL;

	if (more == NULL) {
		free(text);
		f->failed = true;
		return;
	}
	f->list = more;
	f->list[f->n++] = (struct finding){warning, text};
	f->n_errors += !warning;
}

void
findings_add(struct findings *f, const struct err *err)
{
	findings_put(f, false, strdup(err->msg));
}

void
findings_add_text(struct findings *f, bool warning, const char *text)
{
	findings_put(f, warning, strdup(text));
}

void
findings_warn(struct findings *f, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	findings_put(f, true, text);
}

void
findings_done(struct findings *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->list[i].text);
	free(f->list);
	*f = (struct findings){.list = NULL};
}

/* Quotes and backslashes here, all else that JSON does not take as it is in
 * utf8_add_json(), which also masks. */
static void
findings_add_quoted(struct buf *out, const char *text)
{
	struct buf visible = BUF_INIT;
	size_t i;

	utf8_add_visible(&visible, text, strlen(text));
	buf_addc(out, '"');
	for (i = 0; i < visible.len; i++) {
		if (strchr("\"\\", visible.data[i]) != NULL)
			buf_addc(out, '\\');
		buf_addc(out, visible.data[i]);
	}
	buf_addc(out, '"');
	out->failed |= visible.failed;
	buf_done(&visible);
}

static void
findings_show_json(const struct findings *f)
{
	struct buf out = BUF_INIT;
	size_t i;

	buf_addc(&out, '[');
	for (i = 0; i < f->n; i++) {
		buf_addf(&out, "%s{\"severity\":\"%s\",\"message\":",
			 i > 0 ? "," : "",
			 f->list[i].warning ? "warning" : "error");
		findings_add_quoted(&out, f->list[i].text);
		buf_addc(&out, '}');
	}
	buf_adds(&out, "]\n");
	if (!out.failed)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
}

static void
findings_show_text(const char *program, const struct finding *one)
{
	struct buf visible = BUF_INIT;

	utf8_add_visible(&visible, one->text, strlen(one->text));
	fprintf(stderr, "%s: %s%s\n", program, one->warning ? "warning: " : "",
		visible.failed ? "out of memory" : visible.data);
	buf_done(&visible);
}

void
findings_show(const struct findings *f, const char *program,
	      enum findings_style style)
{
	size_t i;

	if (style == FINDINGS_JSON) {
		findings_show_json(f);
		return;
	}
	for (i = 0; i < f->n; i++) {
		if (style == FINDINGS_LOG)
			log_line(f->list[i].warning ? LOG_LEVEL_warning
						    : LOG_LEVEL_error,
				 "%s", f->list[i].text);
		else if (style == FINDINGS_TEXT || !f->list[i].warning)
			findings_show_text(program, &f->list[i]);
	}
	if (f->failed)
		log_error("out of memory");
}
