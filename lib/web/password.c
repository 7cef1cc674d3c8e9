/* SPDX-License-Identifier: MIT */
/* Passwords against their hashes; apart, since flowrractl does without crypt(3). */
#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "web/secret.h"
#include "web/users.h"

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
