/* SPDX-License-Identifier: MIT */
/*
 * Random task ids: version 4 UUIDs (RFC 9562, section 5.4) in lower case.
 *
 * Random bytes are fetched for many ids at a time; the pool belongs to the
 * thread and is thrown away in a child after fork().
 */
#ifndef UTIL_UUID_H
#define UTIL_UUID_H

/* 32 hexadecimal digits, 4 hyphens, and a NUL. */
#define UUID_TEXT_SIZE 37

/* Writes 36 characters and a NUL. Aborts only if the kernel has no entropy. */
void uuid_make(char text[UUID_TEXT_SIZE]);

#endif
