/* SPDX-License-Identifier: MIT */
/* Digests, by libmd; HMAC is made of one as RFC 2104 (section 2) has it. */
#include "util/sha.h"

#include <sha1.h>
#include <sha2.h>
#include <string.h>

_Static_assert(SHA1_SIZE == SHA1_DIGEST_LENGTH, "libmd's SHA-1");
_Static_assert(SHA256_SIZE == SHA256_DIGEST_LENGTH, "libmd's SHA-256");

void
sha1(struct slice bytes, unsigned char digest[SHA1_SIZE])
{
	SHA1_CTX s;

	SHA1Init(&s);
	SHA1Update(&s, (const unsigned char *)bytes.p, bytes.len);
	SHA1Final(digest, &s);
}

void
sha256(struct slice bytes, unsigned char digest[SHA256_SIZE])
{
	SHA2_CTX s;

	SHA256Init(&s);
	SHA256Update(&s, (const unsigned char *)bytes.p, bytes.len);
	SHA256Final(digest, &s);
	/* It may have been a secret. */
	explicit_bzero(&s, sizeof(s));
}

/* The digest of the key, each byte of it changed by `pad`, and of the text. */
static void
sha256_padded(struct slice key, unsigned char pad, struct slice text,
	      unsigned char digest[SHA256_SIZE])
{
	unsigned char block[SHA256_BLOCK_LENGTH];
	SHA2_CTX s;
	size_t i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = pad ^ (i < key.len ? (unsigned char)key.p[i] : 0);
	SHA256Init(&s);
	SHA256Update(&s, block, sizeof(block));
	SHA256Update(&s, (const unsigned char *)text.p, text.len);
	SHA256Final(digest, &s);
	explicit_bzero(&s, sizeof(s));
	explicit_bzero(block, sizeof(block));
}

void
sha256_hmac(struct slice key, struct slice bytes,
	    unsigned char mac[SHA256_SIZE])
{
	unsigned char inner[SHA256_SIZE];

	sha256_padded(key, 0x36, bytes, inner);
	sha256_padded(key, 0x5c,
		      (struct slice){(const char *)inner, sizeof(inner)}, mac);
}

void
sha_hex(const unsigned char *digest, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (; len > 0; len--, digest++) {
		*hex++ = digits[*digest >> 4];
		*hex++ = digits[*digest & 15];
	}
	*hex = '\0';
}
