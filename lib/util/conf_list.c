/* SPDX-License-Identifier: MIT */
/* Lists in the configuration: words between commas, blanks or both, since
 * people write both. */
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"

#define SEPARATORS " ,\t\r\n"

/* Empty items do not exist: "a,,b" and "a, b," have two each. */
char **
conf_list(const char *text)
{
	size_t n = 0;
	size_t len;
	char **list;

	/* Every other byte begins an item, at most. */
	if ((list = calloc(strlen(text) / 2 + 2, sizeof(*list))) == NULL)
		return NULL;
	for (text += strspn(text, SEPARATORS); *text != '\0';
	     text += len + strspn(text + len, SEPARATORS)) {
		len = strcspn(text, SEPARATORS);
		if ((list[n++] = strndup(text, len)) == NULL) {
			conf_list_free(list);
			return NULL;
		}
	}
	return list;
}

void
conf_list_free(char **list)
{
	size_t i;

	for (i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}
