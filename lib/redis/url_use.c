/* SPDX-License-Identifier: MIT */
/* What can be done with a Redis URL that has been parsed: name it in messages,
 * copy it, free it. */
#include "redis/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/buf.h"

void
redis_url_done(struct redis_url *url)
{
	size_t i;

	/* Memory that is freed may end up in a core file. */
	if (url->password != NULL)
		explicit_bzero(url->password, strlen(url->password));
	if (url->sentinel_password != NULL)
		explicit_bzero(url->sentinel_password,
			       strlen(url->sentinel_password));
	for (i = 0; i < url->n_hosts; i++)
		free(url->hosts[i].host);
	free(url->hosts);
	free(url->master);
	free(url->sentinel_user);
	free(url->sentinel_password);
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

static void
url_add_place(struct buf *out, const char *host, uint16_t port)
{
	const bool bracket = strchr(host, ':') != NULL;

	buf_addf(out, "%s%s%s:%u", bracket ? "[" : "", host, bracket ? "]" : "",
		 (unsigned int)port);
}

char *
redis_url_name(const struct redis_url *url)
{
	struct buf name = BUF_INIT;
	size_t i;

	if (url->path != NULL) {
		buf_addf(&name, "unix://%s?db=%u", url->path, url->db);
		return buf_take(&name);
	}
	buf_addf(&name, "redis%s%s://", url->tls ? "s" : "",
		 url->master != NULL ? "+sentinel"
		 : url->cluster	     ? "+cluster"
				     : "");
	if (url->n_hosts == 0)
		url_add_place(&name, url->host, url->port);
	for (i = 0; i < url->n_hosts; i++) {
		if (i > 0)
			buf_addc(&name, ',');
		url_add_place(&name, url->hosts[i].host, url->hosts[i].port);
	}
	if (url->master != NULL)
		buf_addf(&name, "/%s", url->master);
	if (!url->cluster)
		buf_addf(&name, "/%u", url->db);
	return buf_take(&name);
}

static int
text_copy(char **ret, const char *text)
{
	*ret = NULL;
	return text == NULL || (*ret = strdup(text)) != NULL ? 0 : -1;
}

static int
url_copy_hosts(struct redis_url *ret, const struct redis_url *url)
{
	size_t i;

	if (url->n_hosts == 0)
		return 0;
	ret->hosts = calloc(url->n_hosts, sizeof(*ret->hosts));
	if (ret->hosts == NULL)
		return -1;
	for (i = 0; i < url->n_hosts; i++, ret->n_hosts++) {
		ret->hosts[i].port = url->hosts[i].port;
		if (text_copy(&ret->hosts[i].host, url->hosts[i].host) != 0)
			return -1;
	}
	return 0;
}

int
redis_url_copy(struct redis_url *ret, const struct redis_url *url)
{
	struct redis_url copy = {
	    .tls = url->tls,
	    .cluster = url->cluster,
	    .port = url->port,
	    .db = url->db,
	    .verify = url->verify,
	};

	if (url_copy_hosts(&copy, url) != 0 ||
	    text_copy(&copy.master, url->master) != 0 ||
	    text_copy(&copy.sentinel_user, url->sentinel_user) != 0 ||
	    text_copy(&copy.sentinel_password, url->sentinel_password) != 0 ||
	    text_copy(&copy.path, url->path) != 0 ||
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

/* --- groups -------------------------------------------------------------- */

bool
redis_url_is_group(const struct redis_url *url)
{
	return url->master != NULL || url->cluster || url->n_hosts > 1;
}

static bool
text_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The server's user and password count in a Cluster only: elsewhere those who look
 * need neither. */
bool
redis_url_same_group(const struct redis_url *a, const struct redis_url *b)
{
	size_t i;

	if (a->tls != b->tls || a->cluster != b->cluster ||
	    a->n_hosts != b->n_hosts || a->verify != b->verify ||
	    !text_same(a->master, b->master) ||
	    !text_same(a->sentinel_user, b->sentinel_user) ||
	    !text_same(a->sentinel_password, b->sentinel_password) ||
	    !text_same(a->cafile, b->cafile) ||
	    !text_same(a->certfile, b->certfile) ||
	    !text_same(a->keyfile, b->keyfile) ||
	    !text_same(a->servername, b->servername))
		return false;
	if (a->cluster && (!text_same(a->user, b->user) ||
			   !text_same(a->password, b->password)))
		return false;
	for (i = 0; i < a->n_hosts; i++)
		if (a->hosts[i].port != b->hosts[i].port ||
		    strcmp(a->hosts[i].host, b->hosts[i].host) != 0)
			return false;
	return true;
}

bool
redis_url_is_cluster(const char *text)
{
	struct redis_url url;
	bool is;

	if (redis_url_parse(text, &url, NULL) != 0)
		return false;
	is = url.cluster;
	redis_url_done(&url);
	return is;
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
	size_t i;

	if (redis_url_parse(text, &url, NULL) != 0)
		return false;
	elsewhere = url.host != NULL && !is_this_machine(url.host);
	for (i = 1; i < url.n_hosts; i++)
		elsewhere = elsewhere && !is_this_machine(url.hosts[i].host);
	redis_url_done(&url);
	return elsewhere;
}
