/* SPDX-License-Identifier: MIT */
/*
 * Digests, as FIPS 180-4 describes them; HMAC is made of one as RFC 2104 (section
 * 2) has it. Names are those of the standards. The two differ in how a block
 * changes the state, and in how much of the state is the digest.
 */
#include "util/sha.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
/* Where the length of the message stands in its last block. */
#define LENGTH_AT 56
#define STATE_MAX 8 /* words */

typedef void compress_fn(uint32_t *h, const unsigned char *block);

struct sha {
	compress_fn *compress;
	uint32_t h[STATE_MAX];
	unsigned char block[BLOCK]; /* what is not a whole one yet */
	uint64_t len;		    /* of the message so far, in bytes */
};

/* --- blocks -------------------------------------------------------------- */

static uint32_t
rotl(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t
rotr(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

/* The first 16 words of the schedule are the block itself, big-endian. */
static void
words_of(const unsigned char *block, uint32_t *w)
{
	uint32_t word;
	size_t t;

	for (t = 0; t < 16; t++) {
		memcpy(&word, block + 4 * t, sizeof(word));
		w[t] = be32toh(word);
	}
}

/* Section 4.1.1, and 4.2.1 for the constants. */
static uint32_t
sha1_f(unsigned int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) ^ (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

/* Section 6.1.2. */
static void
sha1_compress(uint32_t *h, const unsigned char *block)
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], w[80], sum;
	unsigned int t;

	words_of(block, w);
	for (t = 16; t < 80; t++)
		w[t] = rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (t = 0; t < 80; t++) {
		sum = rotl(a, 5) + sha1_f(t, b, c, d) + e + w[t];
		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = sum;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* Of the cube roots of the first 64 primes, the first 32 bits of the fraction. */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Section 6.2.2; the sums are those of section 4.1.2. */
static void
sha256_compress(uint32_t *h, const unsigned char *block)
{
	uint32_t s[STATE_MAX], w[64], t1, t2;
	unsigned int t;

	words_of(block, w);
	for (t = 16; t < 64; t++) {
		t1 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
		t2 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
		w[t] = t2 + w[t - 7] + t1 + w[t - 16];
	}
	memcpy(s, h, sizeof(s));
	for (t = 0; t < 64; t++) {
		t1 = s[7] + (rotr(s[4], 6) ^ rotr(s[4], 11) ^ rotr(s[4], 25)) +
		     ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha256_k[t] + w[t];
		t2 = (rotr(s[0], 2) ^ rotr(s[0], 13) ^ rotr(s[0], 22)) +
		     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (t = 0; t < STATE_MAX; t++)
		h[t] += s[t];
	/* The message may be a secret; the rest of it goes with struct sha. */
	explicit_bzero(w, sizeof(w));
	explicit_bzero(s, sizeof(s));
}

/* --- messages ------------------------------------------------------------ */

static const struct sha sha1_begin = {
    .compress = sha1_compress,
    .h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};

/* Of the square roots of the first eight primes, as above. */
static const struct sha sha256_begin = {
    .compress = sha256_compress,
    .h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
	  0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

static void
sha_add(struct sha *s, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t have, n;

	while (len > 0) {
		have = s->len % BLOCK;
		n = len < BLOCK - have ? len : BLOCK - have;
		memcpy(s->block + have, p, n);
		s->len += n;
		p += n;
		len -= n;
		if (s->len % BLOCK == 0)
			s->compress(s->h, s->block);
	}
}

/* Section 5.1.1: a bit 1, zeros, and the length in bits at the end of a block. The
 * digest is the first words of the state; it may have been of a secret. */
static void
sha_end(struct sha *s, unsigned char *digest, size_t size)
{
	static const unsigned char padding[BLOCK] = {0x80};
	const uint64_t bits = htobe64(s->len * 8);
	const size_t have = s->len % BLOCK;
	uint32_t word;
	size_t i;

	sha_add(s, padding,
		(have < LENGTH_AT ? LENGTH_AT : BLOCK + LENGTH_AT) - have);
	sha_add(s, &bits, sizeof(bits));
	for (i = 0; i < size / sizeof(word); i++) {
		word = htobe32(s->h[i]);
		memcpy(digest + i * sizeof(word), &word, sizeof(word));
	}
	explicit_bzero(s, sizeof(*s));
}

void
sha1(struct slice bytes, unsigned char digest[SHA1_SIZE])
{
	struct sha s = sha1_begin;

	sha_add(&s, bytes.p, bytes.len);
	sha_end(&s, digest, SHA1_SIZE);
}

void
sha256(struct slice bytes, unsigned char digest[SHA256_SIZE])
{
	struct sha s = sha256_begin;

	sha_add(&s, bytes.p, bytes.len);
	sha_end(&s, digest, SHA256_SIZE);
}

/* The digest of the key, each byte of it changed by `pad`, and of the text. */
static void
sha256_padded(struct slice key, unsigned char pad, struct slice text,
	      unsigned char digest[SHA256_SIZE])
{
	struct sha s = sha256_begin;
	unsigned char block[BLOCK];
	size_t i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = pad ^ (i < key.len ? (unsigned char)key.p[i] : 0);
	sha_add(&s, block, sizeof(block));
	sha_add(&s, text.p, text.len);
	sha_end(&s, digest, SHA256_SIZE);
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
