/* SPDX-License-Identifier: MIT */
/*
 * UUIDs (RFC 9562) in lower case: of version 7 for what has a life in a store, of
 * version 4 for what nobody may guess, of version 8 for what says the same.
 *
 * Random bytes are fetched for many of them at a time; the pool belongs to the
 * thread and is thrown away in a child after fork().
 */
#ifndef UTIL_UUID_H
#define UTIL_UUID_H

/* 32 hexadecimal digits, 4 hyphens, and a NUL. */
#define UUID_TEXT_SIZE 37

/*
 * Writes an ID, 36 characters and a NUL: a UUID of version 7. It begins with the
 * time by the wall clock, which anybody can read in it, and ends with 62 random
 * bits. The IDs of one process are in the order of their making, of all its
 * threads, whatever happens to the clock. Aborts only if the kernel has no
 * entropy.
 */
void uuid_make(char text[UUID_TEXT_SIZE]);

/* The same of version 4: 122 random bits, which tell nothing. For secrets, and
 * names that are not to be guessed. */
void uuid_make_random(char text[UUID_TEXT_SIZE]);

/* The same of version 8: of the first bytes of a digest, so that the same always has
 * the same ID. */
#define UUID_DIGEST_SIZE 16
void uuid_of_digest(const unsigned char digest[UUID_DIGEST_SIZE],
		    char text[UUID_TEXT_SIZE]);

#endif
