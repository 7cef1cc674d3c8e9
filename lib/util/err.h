/* SPDX-License-Identifier: MIT */
/*
 * Errors: every function that can fail returns 0 or -1 (or a pointer or NULL)
 * and fills the struct err that is its last parameter.
 *
 * The message is for a person: it says what was tried, on what, why it failed
 * and, where there is one, the remedy. It never holds a secret. The code is
 * for programs; its number is the exit status of a program that stops on it.
 */
#ifndef UTIL_ERR_H
#define UTIL_ERR_H

/*
 * X(code, exit status, short text for --help). From 64 on the statuses are those
 * of sysexits.h.
 */
#define ERR_CODES(X)                                                           \
	X(NONE, 0, "no error")                                                 \
	X(FAILED, 1, "the task failed")                                        \
	X(NOT_FOUND, 2, "not found")                                           \
	X(TIMEOUT, 3, "timed out waiting")                                     \
	X(USAGE, 64, "usage")                                                  \
	X(DATA, 65, "bad data")                                                \
	X(UNAVAILABLE, 69, "unreachable")                                      \
	X(INTERNAL, 70, "internal error")                                      \
	X(SYSTEM, 71, "system error")                                          \
	X(FULL, 75, "queue full")                                              \
	X(REFUSED, 77, "refused")                                              \
	X(CONFIG, 78, "bad configuration")

enum err_code {
#define X(code, status, text) ERR_##code,
	ERR_CODES(X)
#undef X
};

/* A few lines of a terminal; callers cut what they quote to some 64 bytes. */
#define ERR_MSG_MAX 512

struct err {
	enum err_code code;
	int sys; /* errno at the failure, or 0 */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT                                                               \
	{                                                                      \
		.code = ERR_NONE                                               \
	}

/*
 * Sets code and message (cut off at ERR_MSG_MAX) and returns -1, so that
 * `return err_set(err, ...)` reads well. `err` may be NULL.
 */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and the text of errno behind the message. */
int err_sys(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets ERR_SYSTEM with "out of memory". */
int err_nomem(struct err *err);

/* Puts the formatted text and ": " before the message that is there. */
int err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "; " and the formatted text behind it: the remedy, where only a caller
 * knows it. */
int err_hint(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit status of a program that stops on this code (sysexits.h). */
int err_exit_status(enum err_code code);
/* The other way; ERR_INTERNAL for a status that none has. */
enum err_code err_of_exit_status(int status);

#endif
