/* SPDX-License-Identifier: MIT */
/* Slots of a Redis Cluster; see slots.h. What a server says is not trusted: a node
 * that no URL could name is an error, and so is a slot that is told twice, which
 * bounds the work by the number of slots. */
#include "redis/slots.h"

#include <stdlib.h>
#include <string.h>

#include "redis/redis.h"

/* Masters in one answer: the makers of Redis advise against more than 1000. */
#define NODES_MAX 4096
/* "MOVED 16383 " and a host name of 253 bytes with its port. */
#define ADDRESS_MAX 300

/* --- keys ---------------------------------------------------------------- */

/* CRC16 of XMODEM (polynomial 0x1021, from 0), four bits at a time. */
static uint16_t
slots_crc(struct slice s)
{
	static const uint16_t table[] = {
	    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
	    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
	uint16_t crc = 0;
	size_t i;

	for (i = 0; i < s.len; i++) {
		const unsigned char c = (unsigned char)s.p[i];

		crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (c >> 4)];
		crc = (uint16_t)(crc << 4) ^ table[(crc >> 12) ^ (c & 15)];
	}
	return crc;
}

unsigned int
redis_slot_of(struct slice key)
{
	const char *open = key.len > 0 ? memchr(key.p, '{', key.len) : NULL;
	const char *close =
	    open != NULL ? memchr(open, '}', key.len - (size_t)(open - key.p))
			 : NULL;

	if (close != NULL && close > open + 1)
		key = (struct slice){open + 1, (size_t)(close - open - 1)};
	return slots_crc(key) % REDIS_SLOTS;
}

/* --- the map ------------------------------------------------------------- */

bool
redis_host_same(const struct redis_host *a, const struct redis_host *b)
{
	return a->host != NULL && b->host != NULL && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}

void
redis_slots_done(struct redis_slots *slots)
{
	size_t i;

	for (i = 0; i < slots->n_nodes; i++)
		free(slots->nodes[i].host);
	free(slots->nodes);
	*slots = (struct redis_slots){.n_nodes = 0};
}

const struct redis_host *
redis_slots_owner(const struct redis_slots *slots, unsigned int slot)
{
	const unsigned int owner = slots->owners[slot];

	return owner != 0 ? &slots->nodes[owner - 1] : NULL;
}

/* Its number, from 1 on; 0: there is no memory, or there are too many. */
static uint16_t
slots_add_node(struct redis_slots *slots, const struct redis_host *node)
{
	struct redis_host *more;
	size_t i;

	for (i = 0; i < slots->n_nodes; i++)
		if (redis_host_same(&slots->nodes[i], node))
			return (uint16_t)(i + 1);
	if (slots->n_nodes == NODES_MAX)
		return 0;
	more = reallocarray(slots->nodes, slots->n_nodes + 1, sizeof(*more));
	if (more == NULL)
		return 0;
	slots->nodes = more;
	more[slots->n_nodes].port = node->port;
	more[slots->n_nodes].host = strdup(node->host);
	if (more[slots->n_nodes].host == NULL)
		return 0;
	return (uint16_t)++slots->n_nodes;
}

int
redis_slots_move(struct redis_slots *slots, unsigned int slot,
		 const struct redis_host *node)
{
	const uint16_t owner = slots_add_node(slots, node);

	if (owner == 0)
		return -1;
	slots->n_covered += slots->owners[slot] == 0;
	slots->owners[slot] = owner;
	return 0;
}

/* --- what servers say ------------------------------------------------------ */

/* A host and a port that a URL could have; the host is `asked`'s if the server
 * knows none. 0, or -1. */
static int
slots_read_node(struct slice host, int64_t port, const struct redis_host *asked,
		struct redis_host *ret)
{
	const bool unknown = host.len == 0 || slice_eq(host, SLICE("?"));

	if (port < 1 || port > UINT16_MAX ||
	    (!unknown && memchr(host.p, '\0', host.len) != NULL))
		return -1;
	ret->port = (uint16_t)port;
	ret->host = unknown ? strdup(asked->host) : strndup(host.p, host.len);
	if (ret->host != NULL &&
	    (redis_is_host_name(ret->host) || redis_is_ipv6(ret->host)))
		return 0;
	free(ret->host);
	ret->host = NULL;
	return -1;
}

/* [first, last, [host, port, …] of the master, … of its replicas] */
static int
slots_read_range(const struct redis_reply *range,
		 const struct redis_host *asked, struct redis_slots *slots)
{
	const int64_t first = redis_reply_integer(redis_reply_at(range, 0));
	const int64_t last = redis_reply_integer(redis_reply_at(range, 1));
	const struct redis_reply *master = redis_reply_at(range, 2);
	struct redis_host node;
	uint16_t owner;
	int64_t slot;

	if (first < 0 || last >= REDIS_SLOTS || last < first ||
	    slots_read_node(redis_reply_string(redis_reply_at(master, 0)),
			    redis_reply_integer(redis_reply_at(master, 1)),
			    asked, &node) != 0)
		return -1;
	owner = slots_add_node(slots, &node);
	free(node.host);
	if (owner == 0)
		return -1;
	for (slot = first; slot <= last && slots->owners[slot] == 0; slot++)
		slots->owners[slot] = owner;
	slots->n_covered += (size_t)(slot - first);
	return slot > last ? 0 : -1;
}

int
redis_slots_read(const struct redis_reply *reply,
		 const struct redis_host *asked, struct redis_slots *ret,
		 struct err *err)
{
	struct redis_slots slots = {.n_nodes = 0};
	size_t i;

	for (i = 0; i < redis_reply_count(reply); i++)
		if (slots_read_range(redis_reply_at(reply, i), asked, &slots) !=
		    0)
			break;
	if (redis_reply_type(reply) != REDIS_ARRAY ||
	    i < redis_reply_count(reply)) {
		redis_slots_done(&slots);
		return err_set(err, ERR_UNAVAILABLE,
			       "its answer to CLUSTER SLOTS is not understood");
	}
	if (slots.n_nodes == 0)
		return err_set(
		    err, ERR_UNAVAILABLE,
		    "it knows no master of any slot (CLUSTER SLOTS): "
		    "it is in no Cluster, or that is not made yet");
	redis_slots_done(ret);
	*ret = slots;
	return 0;
}

bool
redis_slots_redirected(const struct redis_reply *reply,
		       const struct redis_host *asked, unsigned int *ret_slot,
		       struct redis_host *ret_node)
{
	const struct slice s = redis_reply_string(reply);
	char text[ADDRESS_MAX], *at, *end, *port;
	unsigned long slot;

	if (redis_reply_type(reply) != REDIS_ERROR || s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (strncmp(text, "MOVED ", 6) == 0)
		at = text + 6;
	else if (strncmp(text, "ASK ", 4) == 0)
		at = text + 4;
	else
		return false;
	slot = strtoul(at, &end, 10);
	/* The last colon: an IPv6 address stands without brackets. */
	if (end == at || *end != ' ' || slot >= REDIS_SLOTS ||
	    (port = strrchr(end, ':')) == NULL)
		return false;
	at = end + 1;
	*ret_slot = (unsigned int)slot;
	return slots_read_node((struct slice){at, (size_t)(port - at)},
			       strtol(port + 1, NULL, 10), asked,
			       ret_node) == 0;
}
