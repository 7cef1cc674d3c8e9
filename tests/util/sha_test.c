/* SPDX-License-Identifier: MIT */
/* Tests of digests: those of FIPS 180-4 and RFC 4231, and OpenSSL's. */
#include "util/sha.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

/* More than three blocks: each length of the padding, several times. */
#define LENGTHS 200

START_TEST(sha_1_is_that_of_the_standard)
{
	unsigned char digest[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	sha1(SLICE("abc"), digest);
	sha_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	sha1(SLICE(""), digest);
	sha_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}
END_TEST

START_TEST(sha_256_is_that_of_the_standard)
{
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(
	    SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	    digest);
	sha_hex(digest, sizeof(digest), hex);
	ck_assert_str_eq(hex, "248d6a61d20638b8e5c026930c3e6039"
			      "a33ce45964ff2167f6ecedd419db06c1");
}
END_TEST

/* RFC 4231, test case 2. */
START_TEST(a_mac_is_that_of_the_rfc)
{
	unsigned char mac[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256_hmac(SLICE("Jefe"), SLICE("what do ya want for nothing?"), mac);
	sha_hex(mac, sizeof(mac), hex);
	ck_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c7"
			      "5a003f089d2739839dec58b964ec3843");
}
END_TEST

START_TEST(digests_of_all_lengths_are_those_of_openssl)
{
	unsigned char mine[SHA256_SIZE], theirs[EVP_MAX_MD_SIZE];
	char bytes[LENGTHS];
	size_t len, i;

	for (i = 0; i < LENGTHS; i++)
		bytes[i] = (char)(i * 167 + 13);
	for (len = 0; len < LENGTHS; len++) {
		sha1((struct slice){bytes, len}, mine);
		EVP_Digest(bytes, len, theirs, NULL, EVP_sha1(), NULL);
		ck_assert_mem_eq(mine, theirs, SHA1_SIZE);
		sha256((struct slice){bytes, len}, mine);
		EVP_Digest(bytes, len, theirs, NULL, EVP_sha256(), NULL);
		ck_assert_mem_eq(mine, theirs, SHA256_SIZE);
		sha256_hmac((struct slice){bytes, len % 65},
			    (struct slice){bytes, len}, mine);
		HMAC(EVP_sha256(), bytes, (int)(len % 65),
		     (const unsigned char *)bytes, len, theirs, NULL);
		ck_assert_mem_eq(mine, theirs, SHA256_SIZE);
	}
}
END_TEST

SUITE("sha")
{
	TEST(sha_1_is_that_of_the_standard);
	TEST(sha_256_is_that_of_the_standard);
	TEST(a_mac_is_that_of_the_rfc);
	TEST(digests_of_all_lengths_are_those_of_openssl);
}
