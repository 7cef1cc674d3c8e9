/* SPDX-License-Identifier: MIT */
/* What all verbs print: complaints and JSON. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/scan.h"
#include "flowrra/client.h"
#include "util/buf.h"
#include "util/err.h"
#include "verb.h"

int
ctl_open(struct ctl *ctl)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_error error;

	options.config_file = ctl->globals.config_file;
	options.settings = ctl->globals.settings.items;
	if (flowrra_open(&options, &ctl->client, &error) == 0)
		return 0;
	return complain_of(ctl, &error);
}

void
mask_controls(char *text)
{
	unsigned char *p;

	for (p = (unsigned char *)text; *p != '\0'; p++) {
		if (*p < ' ' || *p == 127)
			*p = *p == '\n' || *p == '\t' ? ' ' : '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

void
complain(struct ctl *ctl, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	if (ctl->globals.quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	mask_controls(line);
	end_progress(ctl);
	/* Answers come before the complaint that follows them. */
	fflush(stdout);
	if (ctl->verb != NULL)
		fprintf(stderr, "flowrractl: %s: %s\n", ctl->verb->name, line);
	else
		fprintf(stderr, "flowrractl: %s\n", line);
}

int
complain_of(struct ctl *ctl, const struct flowrra_error *error)
{
	complain(ctl, "%s", error->message);
	return error->code;
}

int
complain_of_err(struct ctl *ctl, const struct err *err)
{
	complain(ctl, "%s", err->msg);
	return err_exit_status(err->code);
}

/* --- progress ---------------------------------------------------------- */

void
show_progress(struct ctl *ctl, long long n, const char *what)
{
	if (ctl->globals.quiet || !isatty(STDERR_FILENO))
		return;
	ctl->progress = true;
	fprintf(stderr, "\r%lld %s", n, what);
}

void
end_progress(struct ctl *ctl)
{
	if (ctl->progress)
		fputs("\r\033[K", stderr);
	ctl->progress = false;
}

/* --- JSON -------------------------------------------------------------- */

void
print_compact(const char *json)
{
	bool in_string = false;

	for (; *json != '\0'; json++) {
		if (!in_string && strchr(" \t\r\n", *json) != NULL)
			continue;
		putchar(*json);
		if (in_string && *json == '\\' && json[1] != '\0')
			putchar(*++json);
		else if (*json == '"')
			in_string = !in_string;
	}
}

void
print_quoted(const char *text)
{
	struct buf out = BUF_INIT;

	scan_quote(&out, slice_of(text));
	if (out.data != NULL)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
}

void
print_json_line(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY |
					  JSON_REAL_PRECISION(15));

	if (text != NULL)
		puts(text);
	free(text);
	json_decref(json);
}
