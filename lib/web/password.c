/* SPDX-License-Identifier: MIT */
/*
 * Passwords against their hashes, by crypt(3); in a file of its own, since
 * flowrractl uses the rest of users.h and should not need libcrypt.
 */
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "web/secret.h"
#include "web/users.h"

/* crypt_r(): several threads may check. Its state is some 32 KiB and has the
 * password in it: hence the heap, and the overwriting. */
bool
users_check_password(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *mine;
	bool same = false;

	if (data == NULL)
		return false;
	mine = crypt_r(password, hash, data);
	/* A setting that crypt cannot do is answered with "*0". */
	if (mine != NULL && mine[0] != '*')
		same = secret_same(mine, hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}
