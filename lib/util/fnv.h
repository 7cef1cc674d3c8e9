/* SPDX-License-Identifier: MIT */
/*
 * FNV-1a: a small hash, which tells values apart but resists nobody who chooses
 * them. The same bytes have the same hash on any machine.
 *
 * Begin with the published basis, and go on with the hash of what came before.
 */
#ifndef UTIL_FNV_H
#define UTIL_FNV_H

#include <stdint.h>

#include "util/buf.h"

#define FNV_BASIS_32 2166136261u
#define FNV_BASIS_64 UINT64_C(14695981039346656037)
#define FNV_PRIME_64 UINT64_C(1099511628211)

static inline uint32_t
fnv_32(uint32_t hash, struct slice bytes)
{
	size_t i;

	for (i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.p[i]) * 16777619u;
	return hash;
}

static inline uint64_t
fnv_64(uint64_t hash, struct slice bytes)
{
	size_t i;

	for (i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.p[i]) * FNV_PRIME_64;
	return hash;
}

#endif
