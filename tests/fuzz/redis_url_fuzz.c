/* SPDX-License-Identifier: MIT */
/* Whatever the text, a Redis URL is read or refused; what was read has a name
 * that is the URL of the same server. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "redis/url.h"
#include "util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *name, *name_again;
	struct redis_url url, again;
	struct err err;

	if (text != NULL && redis_url_parse(text, &url, &err) == 0) {
		name = redis_url_name(&url);
		/* A path is not encoded again in its name. */
		if (name != NULL && url.path == NULL) {
			if (redis_url_parse(name, &again, &err) != 0)
				abort();
			name_again = redis_url_name(&again);
			if (name_again != NULL && strcmp(name, name_again) != 0)
				abort();
			free(name_again);
			redis_url_done(&again);
		}
		free(name);
		redis_url_done(&url);
	}
	free(text);
	return 0;
}
