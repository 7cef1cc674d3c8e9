/* SPDX-License-Identifier: MIT */
#include "codec/order.h"

#include <string.h>

#include "suite.h"
#include "util/err.h"

static struct buf scratch = BUF_INIT;

static void
ck_refused(const char *message, const char *why)
{
	struct order order;
	struct err err;

	ck_assert_int_eq(order_read(slice_of(message), &scratch, &order, &err),
			 -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
}

START_TEST(orders_are_read_as_they_were_written)
{
	static const enum order_kind kinds[] = {
#define X(kind, text, member) ORDER_##kind,
	    ORDERS(X)
#undef X
	};
	/* An id may be any printable ASCII. */
	const struct slice subject = SLICE("a\"b\\c/d");
	struct buf out = BUF_INIT;
	struct order order;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		buf_reset(&out);
		order_write(
		    &(struct order){.kind = kinds[i], .subject = subject},
		    &out);
		ck_assert_int_eq(order_read((struct slice){out.data, out.len},
					    &scratch, &order, NULL),
				 0);
		ck_assert_int_eq(order.kind, kinds[i]);
		ck_assert(slice_eq(order.subject, subject));
	}
	buf_done(&out);
	buf_done(&scratch);
}
END_TEST

START_TEST(their_form_is_what_other_programs_write)
{
	struct buf out = BUF_INIT;

	order_write(
	    &(struct order){.kind = ORDER_CANCEL, .subject = SLICE("7")}, &out);
	ck_assert_str_eq(out.data, "{\"order\":\"cancel\",\"id\":\"7\"}");
	buf_reset(&out);
	order_write(
	    &(struct order){.kind = ORDER_QUIET, .subject = SLICE("host:main")},
	    &out);
	ck_assert_str_eq(out.data,
			 "{\"order\":\"quiet\",\"worker\":\"host:main\"}");
	buf_done(&out);
}
END_TEST

START_TEST(what_is_no_order_is_refused_and_says_why)
{
	ck_refused("", "not JSON");
	ck_refused("[]", "must be an object");
	ck_refused("{}", "\"order\" is missing");
	ck_refused("{\"order\":5}", "\"order\"");
	ck_refused("{\"order\":\"dance\",\"id\":\"7\"}", "\"dance\"");
	ck_refused("{\"order\":\"cancel\"}", "lacks id");
	ck_refused("{\"order\":\"stop\",\"id\":\"7\"}", "lacks worker");
	ck_refused("{\"order\":\"wake\",\"queue\":null}", "lacks queue");
	buf_done(&scratch);
}
END_TEST

SUITE("order")
{
	TEST(orders_are_read_as_they_were_written);
	TEST(their_form_is_what_other_programs_write);
	TEST(what_is_no_order_is_refused_and_says_why);
}
