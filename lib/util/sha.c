/* SPDX-License-Identifier: MIT */
/*
 * SHA-1 and SHA-256, as FIPS 180-4 has them; its sections are named below. Both
 * work on blocks of 64 bytes and 32-bit words, and end in the same padding, so
 * they differ in one function for a block and in the first words.
 */
#include "util/sha.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 64
#define WORDS_MAX 8

typedef void sha_block_fn(uint32_t *h, const unsigned char *block);

struct sha {
	sha_block_fn *on_block;
	uint32_t h[WORDS_MAX];
	uint64_t len; /* bytes so far; the last of them wait in `block` */
	unsigned char block[BLOCK_SIZE];
};

static uint32_t
sha_rotl(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static uint32_t
sha_rotr(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

/* Words are big-endian. */
static uint32_t
sha_load(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void
sha_store(uint32_t word, unsigned char *p)
{
	p[0] = (unsigned char)(word >> 24);
	p[1] = (unsigned char)(word >> 16);
	p[2] = (unsigned char)(word >> 8);
	p[3] = (unsigned char)word;
}

/* --- SHA-1 --------------------------------------------------------------- */

/* Section 4.1.1, with the constant of 4.2.1. */
static uint32_t
sha1_mix(unsigned int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

/* Section 6.1.2. */
static void
sha1_block(uint32_t *h, const unsigned char *block)
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], w[80], next;
	unsigned int t;

	for (t = 0; t < 16; t++)
		w[t] = sha_load(block + 4 * (size_t)t);
	for (; t < 80; t++)
		w[t] = sha_rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (t = 0; t < 80; t++) {
		next = sha_rotl(a, 5) + sha1_mix(t, b, c, d) + e + w[t];
		e = d;
		d = c;
		c = sha_rotl(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* --- SHA-256 ------------------------------------------------------------- */

/* Section 4.2.2. */
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
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* Section 6.2.2, step 1. */
static void
sha256_schedule(const unsigned char *block, uint32_t w[64])
{
	uint32_t s0, s1;
	unsigned int t;

	for (t = 0; t < 16; t++)
		w[t] = sha_load(block + 4 * (size_t)t);
	for (; t < 64; t++) {
		s0 = sha_rotr(w[t - 15], 7) ^ sha_rotr(w[t - 15], 18) ^
		     w[t - 15] >> 3;
		s1 = sha_rotr(w[t - 2], 17) ^ sha_rotr(w[t - 2], 19) ^
		     w[t - 2] >> 10;
		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
}

/* The other steps: v is a, b, … h of the standard. */
static void
sha256_block(uint32_t *h, const unsigned char *block)
{
	uint32_t v[WORDS_MAX], w[64], t1, t2;
	unsigned int t, i;

	sha256_schedule(block, w);
	memcpy(v, h, sizeof(v));
	for (t = 0; t < 64; t++) {
		t1 = v[7] + sha256_k[t] + w[t] +
		     (sha_rotr(v[4], 6) ^ sha_rotr(v[4], 11) ^
		      sha_rotr(v[4], 25)) +
		     ((v[4] & v[5]) ^ (~v[4] & v[6]));
		t2 = (sha_rotr(v[0], 2) ^ sha_rotr(v[0], 13) ^
		      sha_rotr(v[0], 22)) +
		     ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, sizeof(v) - sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (i = 0; i < WORDS_MAX; i++)
		h[i] += v[i];
}

/* --- both ---------------------------------------------------------------- */

/* Sections 5.3.1 and 5.3.3. */
static const struct sha sha1_first = {
    .on_block = sha1_block,
    .h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
static const struct sha sha256_first = {
    .on_block = sha256_block,
    .h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
	  0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};

static void
sha_add(struct sha *s, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t at, n;

	while (len > 0) {
		at = s->len % BLOCK_SIZE;
		n = len < BLOCK_SIZE - at ? len : BLOCK_SIZE - at;
		memcpy(s->block + at, p, n);
		s->len += n;
		if (at + n == BLOCK_SIZE)
			s->on_block(s->h, s->block);
		p += n;
		len -= n;
	}
}

/* Section 5.1.1: a bit, zeros, and the length in bits, which end a block. */
static void
sha_end(struct sha *s, unsigned char *digest, size_t size)
{
	static const unsigned char padding[BLOCK_SIZE] = {0x80};
	const uint64_t bits = s->len * 8;
	const size_t used = (s->len + 8) % BLOCK_SIZE;
	unsigned char length[8];
	size_t i;

	sha_store((uint32_t)(bits >> 32), length);
	sha_store((uint32_t)bits, length + 4);
	sha_add(s, padding, BLOCK_SIZE - used);
	sha_add(s, length, sizeof(length));
	for (i = 0; i < size / 4; i++)
		sha_store(s->h[i], digest + 4 * i);
	/* It may have been a secret. */
	explicit_bzero(s, sizeof(*s));
}

void
sha1(struct slice bytes, unsigned char digest[SHA1_SIZE])
{
	struct sha s = sha1_first;

	sha_add(&s, bytes.p, bytes.len);
	sha_end(&s, digest, SHA1_SIZE);
}

void
sha256(struct slice bytes, unsigned char digest[SHA256_SIZE])
{
	struct sha s = sha256_first;

	sha_add(&s, bytes.p, bytes.len);
	sha_end(&s, digest, SHA256_SIZE);
}

void
sha256_hmac(struct slice key, struct slice bytes,
	    unsigned char mac[SHA256_SIZE])
{
	unsigned char inner[BLOCK_SIZE], outer[BLOCK_SIZE];
	struct sha s = sha256_first;
	size_t i;

	for (i = 0; i < BLOCK_SIZE; i++) {
		unsigned char byte = i < key.len ? (unsigned char)key.p[i] : 0;

		inner[i] = byte ^ 0x36;
		outer[i] = byte ^ 0x5c;
	}
	sha_add(&s, inner, sizeof(inner));
	sha_add(&s, bytes.p, bytes.len);
	sha_end(&s, mac, SHA256_SIZE);
	s = sha256_first;
	sha_add(&s, outer, sizeof(outer));
	sha_add(&s, mac, SHA256_SIZE);
	sha_end(&s, mac, SHA256_SIZE);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
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
