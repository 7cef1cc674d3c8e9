/* SPDX-License-Identifier: MIT */
/*
 * Digests: SHA-1 and SHA-256 (FIPS 180-4), and HMAC (RFC 2104).
 *
 * SHA-1 is for those who name things by it (scripts of Redis), not for secrets.
 * No library's: to load libcrypto costs a program that starts more than all else that
 * a lone submission does, and a digest that cannot fail needs no error. The tests
 * compare them with OpenSSL's.
 */
#ifndef UTIL_SHA_H
#define UTIL_SHA_H

#include <stddef.h>

#include "util/buf.h"

/* Bytes of a digest. */
#define SHA1_SIZE 20
#define SHA256_SIZE 32

void sha1(struct slice bytes, unsigned char digest[SHA1_SIZE]);
void sha256(struct slice bytes, unsigned char digest[SHA256_SIZE]);
/* Of a key of at most 64 bytes, which is a block of SHA-256. */
void sha256_hmac(struct slice key, struct slice bytes,
		 unsigned char mac[SHA256_SIZE]);

/* Writes two lower-case digits a byte, and a NUL. */
void sha_hex(const unsigned char *digest, size_t len, char *hex);

#endif
