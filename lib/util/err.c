/* SPDX-License-Identifier: MIT */
/*
 * Errors with a code, an errno and a message. They travel up by value: the
 * struct lies on the stack of the function that decides what to do, so
 * reporting an error needs no memory.
 */
#include "util/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Indexed by code. The X-macro keeps codes, exit statuses and texts in one
 * list. */
static const int err_statuses[] = {
#define X(code, exit_status, text) [ERR_##code] = (exit_status),
    ERR_CODES(X)
#undef X
};

/*
 * The message is cut off, never refused: a long path must not hide the reason.
 * strerrordesc_np() is used because strerror() is not thread-safe and answers
 * in the user's language, while the rest of the message is English.
 */
__attribute__((format(printf, 4, 0))) static void
set(struct err *err, enum err_code code, int sys, const char *fmt, va_list ap)
{
	size_t len;

	err->code = code;
	err->sys = sys;
	if (vsnprintf(err->msg, sizeof(err->msg), fmt, ap) < 0)
		err->msg[0] = '\0';
	if (sys != 0) {
		len = strlen(err->msg);
		snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
			 strerrordesc_np(sys) ? strerrordesc_np(sys)
					      : "unknown error");
	}
}

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	set(err, code, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *err, enum err_code code, const char *fmt, ...)
{
	/* First: formatting may change it. */
	int sys = errno;
	va_list ap;

	if (err == NULL)
		return -1;
	va_start(ap, fmt);
	set(err, code, sys, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_nomem(struct err *err)
{
	err_set(err, ERR_SYSTEM, "out of memory");
	if (err != NULL)
		err->sys = ENOMEM;
	return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char old[ERR_MSG_MAX];
	size_t len;
	va_list ap;

	if (err == NULL)
		return -1;
	/*
	 * A copy, since the source of snprintf() must not overlap its target.
	 */
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	if (vsnprintf(err->msg, sizeof(err->msg), fmt, ap) < 0)
		err->msg[0] = '\0';
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
	return -1;
}

int
err_hint(struct err *err, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	if (err == NULL)
		return -1;
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, "; ");
	len = strlen(err->msg);
	va_start(ap, fmt);
	if (vsnprintf(err->msg + len, sizeof(err->msg) - len, fmt, ap) < 0)
		err->msg[len] = '\0';
	va_end(ap);
	return -1;
}

int
err_exit_status(enum err_code code)
{
	return err_statuses[code];
}

enum err_code
err_of_exit_status(int status)
{
	size_t i;

	for (i = 0; i < sizeof(err_statuses) / sizeof(err_statuses[0]); i++)
		if (err_statuses[i] == status)
			return (enum err_code)i;
	return ERR_INTERNAL;
}
