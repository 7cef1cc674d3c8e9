/* SPDX-License-Identifier: MIT */
/* What can be done with a Redis URL that has been parsed: name it in messages,
 * copy it, free it. */
#include "redis/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
redis_url_done(struct redis_url *url)
{
	/* Memory that is freed may end up in a core file. */
	if (url->password != NULL)
		explicit_bzero(url->password, strlen(url->password));
	free(url->path);
	free(url->host);
	free(url->user);
	free(url->password);
	free(url->cafile);
	free(url->certfile);
	free(url->keyfile);
	free(url->servername);
	*url = (struct redis_url){.tls = false};
}

char *
redis_url_name(const struct redis_url *url)
{
	bool bracket;
	char *name;
	int n;

	if (url->path != NULL) {
		n = asprintf(&name, "unix://%s?db=%u", url->path, url->db);
		return n < 0 ? NULL : name;
	}
	bracket = strchr(url->host, ':') != NULL;
	n = asprintf(&name, "%s%s%s%s:%u/%u",
		     url->tls ? "rediss://" : "redis://", bracket ? "[" : "",
		     url->host, bracket ? "]" : "", (unsigned int)url->port,
		     url->db);
	return n < 0 ? NULL : name;
}

static int
text_copy(char **ret, const char *text)
{
	*ret = NULL;
	return text == NULL || (*ret = strdup(text)) != NULL ? 0 : -1;
}

int
redis_url_copy(struct redis_url *ret, const struct redis_url *url)
{
	struct redis_url copy = {
	    .tls = url->tls,
	    .port = url->port,
	    .db = url->db,
	    .verify = url->verify,
	};

	if (text_copy(&copy.path, url->path) != 0 ||
	    text_copy(&copy.host, url->host) != 0 ||
	    text_copy(&copy.user, url->user) != 0 ||
	    text_copy(&copy.password, url->password) != 0 ||
	    text_copy(&copy.cafile, url->cafile) != 0 ||
	    text_copy(&copy.certfile, url->certfile) != 0 ||
	    text_copy(&copy.keyfile, url->keyfile) != 0 ||
	    text_copy(&copy.servername, url->servername) != 0) {
		redis_url_done(&copy);
		return -1;
	}
	*ret = copy;
	return 0;
}

/* --- places -------------------------------------------------------------- */

/* All of 127.0.0.0/8, and ::1 alone. */
static bool
is_this_machine(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(host, "localhost") == 0;
}

bool
redis_url_is_elsewhere(const char *text)
{
	struct redis_url url;
	bool elsewhere;

	if (redis_url_parse(text, &url, NULL) != 0)
		return false;
	elsewhere = url.host != NULL && !is_this_machine(url.host);
	redis_url_done(&url);
	return elsewhere;
}
