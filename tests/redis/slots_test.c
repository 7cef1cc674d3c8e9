/* SPDX-License-Identifier: MIT */
/* What the nodes of a Redis Cluster say about its slots: the map, and MOVED. */
#include "redis/slots.h"

#include <stdlib.h>
#include <string.h>

#include "redis/reader.h"
#include "suite.h"

/* Masters in one answer: as slots.c has it. */
#define NODES_MAX 4096

static struct redis_reply
text(enum redis_reply_type type, const char *s)
{
	return (struct redis_reply){.type = type, .len = strlen(s), .bytes = s};
}

static struct redis_reply
number(int64_t n)
{
	return (struct redis_reply){.type = REDIS_INTEGER, .integer = n};
}

static struct redis_reply
array(struct redis_reply *members, size_t n)
{
	return (struct redis_reply){
	    .type = REDIS_ARRAY, .len = n, .members = members};
}

/* An answer to CLUSTER SLOTS, of ranges with a master each. */
struct answer {
	struct redis_reply reply;
	struct redis_reply ranges[REDIS_SLOTS + 1];
	struct redis_reply parts[REDIS_SLOTS + 1][3];
	struct redis_reply nodes[REDIS_SLOTS + 1][2];
};

static struct answer *
answer_new(void)
{
	struct answer *a = calloc(1, sizeof(*a));

	ck_assert_ptr_nonnull(a);
	a->reply = array(a->ranges, 0);
	return a;
}

static void
answer_add(struct answer *a, int64_t first, int64_t last, const char *host,
	   int64_t port)
{
	const size_t i = a->reply.len++;

	a->nodes[i][0] = host != NULL ? text(REDIS_STRING, host)
				      : (struct redis_reply){.type = REDIS_NIL};
	a->nodes[i][1] = number(port);
	a->parts[i][0] = number(first);
	a->parts[i][1] = number(last);
	a->parts[i][2] = array(a->nodes[i], 2);
	a->ranges[i] = array(a->parts[i], 3);
}

static char asked_host[] = "asked", old_host[] = "old";
static const struct redis_host asked = {asked_host, 7000};

static void
ck_owner(const struct redis_slots *slots, unsigned int slot, const char *host,
	 unsigned int port)
{
	const struct redis_host *owner = redis_slots_owner(slots, slot);

	ck_assert_ptr_nonnull(owner);
	ck_assert_str_eq(owner->host, host);
	ck_assert_uint_eq(owner->port, port);
}

START_TEST(masters_have_names_and_addresses_of_all_kinds)
{
	static const struct {
		const char *told, *host;
	} hosts[] = {{"10.0.0.1", "10.0.0.1"},
		     {"::1", "::1"},
		     {"2001:db8::7", "2001:db8::7"},
		     {"node-1.example.org", "node-1.example.org"},
		     {"", "asked"},
		     {"?", "asked"},
		     {NULL, "asked"}};
	const size_t n = sizeof(hosts) / sizeof(hosts[0]);
	struct answer *a = answer_new();
	struct redis_slots slots = {.n_nodes = 0};
	struct err err;
	size_t i;

	for (i = 0; i < n; i++)
		answer_add(a, (int64_t)i, (int64_t)i, hosts[i].told, 7001);
	ck_assert_int_eq(redis_slots_read(&a->reply, &asked, &slots, &err), 0);
	for (i = 0; i < n; i++)
		ck_owner(&slots, (unsigned int)i, hosts[i].host, 7001);
	/* "asked", thrice, is one. */
	ck_assert_uint_eq(slots.n_nodes, n - 2);
	ck_assert_uint_eq(slots.n_covered, n);
	ck_assert_ptr_null(redis_slots_owner(&slots, (unsigned int)n));
	redis_slots_done(&slots);
	free(a);
}
END_TEST

START_TEST(each_slot_may_be_a_range_of_its_own)
{
	struct answer *a = answer_new();
	struct redis_slots slots = {.n_nodes = 0};
	struct err err;
	int64_t slot;

	for (slot = 0; slot < REDIS_SLOTS; slot++)
		answer_add(a, slot, slot, "h", 1 + slot % NODES_MAX);
	ck_assert_int_eq(redis_slots_read(&a->reply, &asked, &slots, &err), 0);
	ck_assert_uint_eq(slots.n_nodes, NODES_MAX);
	ck_assert_uint_eq(slots.n_covered, REDIS_SLOTS);
	ck_owner(&slots, REDIS_SLOTS - 1, "h", NODES_MAX);
	redis_slots_done(&slots);
	free(a);
}
END_TEST

/* Whatever is wrong with an answer, the map stays as it was. */
static void
ck_not_believed(const struct redis_reply *reply, const char *why)
{
	const struct redis_host old = {old_host, 1};
	struct redis_slots slots = {.n_nodes = 0};
	struct err err;

	ck_assert_int_eq(redis_slots_move(&slots, 5, &old), 0);
	ck_assert_int_eq(redis_slots_read(reply, &asked, &slots, &err), -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
	ck_owner(&slots, 5, "old", 1);
	ck_assert_uint_eq(slots.n_covered, 1);
	redis_slots_done(&slots);
}

START_TEST(a_slot_has_one_master)
{
	static const int64_t second[][2] = {
	    {100, 100}, {0, 16383}, {100, 300}, {50, 100}, {150, 160}};
	struct answer *a = answer_new();

	answer_add(a, 100, 200, "h", 1);
	answer_add(a, second[_i][0], second[_i][1], "h", 1);
	ck_not_believed(&a->reply, "not understood");
	free(a);
}
END_TEST

START_TEST(there_are_not_more_masters_than_may_be)
{
	struct answer *a = answer_new();
	int64_t slot;

	for (slot = 0; slot <= NODES_MAX; slot++)
		answer_add(a, slot, slot, "h", 1 + slot);
	ck_not_believed(&a->reply, "not understood");
	free(a);
}
END_TEST

START_TEST(a_node_without_masters_is_asked_in_vain)
{
	struct answer *a = answer_new();

	ck_not_believed(&a->reply, "knows no master");
	free(a);
}
END_TEST

START_TEST(a_move_leads_to_a_node)
{
	static const struct {
		const char *reply, *host;
		unsigned int slot, port;
	} moves[] = {
	    {"MOVED 3999 127.0.0.1:6381", "127.0.0.1", 3999, 6381},
	    {"ASK 0 ::1:6381", "::1", 0, 6381},
	    {"MOVED 16383 2001:db8::7:1", "2001:db8::7", 16383, 1},
	    {"MOVED 1 node.example.org:65535", "node.example.org", 1, 65535},
	    {"MOVED 1 :6381", "asked", 1, 6381},
	    {"ASK 1 ?:6381", "asked", 1, 6381},
	};
	const struct redis_reply reply = text(REDIS_ERROR, moves[_i].reply);
	struct redis_host node = {.host = NULL};
	unsigned int slot;

	ck_assert(redis_slots_redirected(&reply, &asked, &slot, &node));
	ck_assert_uint_eq(slot, moves[_i].slot);
	ck_assert_str_eq(node.host, moves[_i].host);
	ck_assert_uint_eq(node.port, moves[_i].port);
	free(node.host);
}
END_TEST

START_TEST(a_move_to_nowhere_is_an_error_as_any_other)
{
	static const char *const none[] = {
	    "MOVED",	       "MOVED ",
	    "MOVED 1",	       "MOVED 1 ",
	    "MOVED 1 h",       "MOVED 1 h:",
	    "MOVED 1 h:0",     "MOVED 1 h:65536",
	    "MOVED 1 h:-1",    "MOVED 16384 h:1",
	    "MOVED -1 h:1",    "MOVED x h:1",
	    "MOVED 1:h 1",     "MOVED 1 a/b:1",
	    "MOVED 1 a b:1",   "MOVED 1 [::1]:1",
	    "MOVED 1 \x1b:1",  "MOVEDX 1 h:1",
	    "ERR MOVED 1 h:1", "MOVED 99999999999999999999 h:1",
	};
	struct redis_reply reply;
	struct redis_host node = {.host = NULL};
	unsigned int slot;
	char *big;
	size_t i;

	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		reply = text(REDIS_ERROR, none[i]);
		ck_assert_msg(
		    !redis_slots_redirected(&reply, &asked, &slot, &node), "%s",
		    none[i]);
		ck_assert_ptr_null(node.host);
	}
	reply = text(REDIS_STRING, "MOVED 1 h:1");
	ck_assert(!redis_slots_redirected(&reply, &asked, &slot, &node));
	/* Longer than any name of a host. */
	big = calloc(1, 1000);
	ck_assert_ptr_nonnull(big);
	memset(big, 'h', 998);
	memcpy(big, "MOVED 1 ", 8);
	memcpy(big + 996, ":1", 2);
	reply = text(REDIS_ERROR, big);
	ck_assert(!redis_slots_redirected(&reply, &asked, &slot, &node));
	free(big);
}
END_TEST

SUITE("redis_slots")
{
	TEST(masters_have_names_and_addresses_of_all_kinds);
	TEST(each_slot_may_be_a_range_of_its_own);
	TEST_LOOP(a_slot_has_one_master, 0, 5);
	TEST(there_are_not_more_masters_than_may_be);
	TEST(a_node_without_masters_is_asked_in_vain);
	TEST_LOOP(a_move_leads_to_a_node, 0, 6);
	TEST(a_move_to_nowhere_is_an_error_as_any_other);
}
