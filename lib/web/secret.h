/* SPDX-License-Identifier: MIT */
/*
 * Secrets: random ones, digests, and those in files of their own.
 *
 * The token of the start is the way to log in where no other is configured. It lies
 * in a file that the group of the service may read. Programs that can read it make
 * codes of it, which are good once and for a short while, and so may stand in a
 * URL.
 */
#ifndef WEB_SECRET_H
#define WEB_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct conf;
struct err;

#define SECRET_BYTES 32
/* SHA-256 in hexadecimal digits, and a NUL. */
#define SECRET_HEX_SIZE 65
/* 32 bytes in base64url, and a NUL. */
#define SECRET_TEXT_SIZE 44
#define SECRET_CODE_LIFE_S 300
#define SECRET_CODE_SIZE 128

/* Fills with random bytes; aborts if the system has none. */
void secret_random(void *p, size_t len);
/* A new one, as text. */
void secret_make(char text[SECRET_TEXT_SIZE]);
/* SHA-256 of a text, in lower-case digits. */
void secret_digest(const char *text, char hex[SECRET_HEX_SIZE]);
void secret_hmac(const unsigned char key[SECRET_BYTES], struct slice text,
		 unsigned char mac[SECRET_BYTES]);
/* Compares in a time that does not depend on where they differ. */
bool secret_same(const char *a, const char *b);
/* base64url without padding. */
void secret_encode(const void *p, size_t len, struct buf *out);
/* Of base64url, or of base64 with padding. -1: it is not. */
int secret_decode(struct slice text, struct buf *out);

/* The content of a file of at most 1 MiB: 1, 0 if it is not there, -1 with
 * *err, which is ERR_REFUSED if this user may not read it. */
int secret_read(const char *path, struct buf *out, struct err *err);
/* The same for a file that we have made: a plain file, not a link, which belongs to
 * us or root, and which nobody else may change. Anything else is an error: a secret
 * that somebody else has put there would let them in. */
int secret_read_own(const char *path, struct buf *out, struct err *err);
/* Makes a file with these bytes in the place of one that is there, or not. */
int secret_write(const char *path, struct slice bytes, unsigned int mode,
		 struct err *err);
/* Makes a file with these bytes if there is none: of two that do it at the same
 * time one wins, and both read what it has written. */
int secret_create(const char *path, struct slice bytes, unsigned int mode,
		  struct err *err);

/* "web.token" in [web] runtime_dir; free() it. NULL when memory runs out. */
char *secret_token_path(const struct conf *conf);
/* A code of a token, now, and whether it is one. `nonce` names it, to be
 * remembered until `ret_until_s`. */
void secret_code_make(const char *token, char code[SECRET_CODE_SIZE]);
bool secret_code_check(const char *token, const char *code, uint64_t *ret_nonce,
		       int64_t *ret_until_s);

#endif
