/* SPDX-License-Identifier: MIT */
/*
 * Orders to workers, as JSON: they are published to all workers, of which some
 * may be older or newer than the sender. So an unknown order is an error that a
 * worker can log and ignore, and members that are not known are skipped.
 */
#include "codec/order.h"

#include <stddef.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/write.h"
#include "util/err.h"

/* An order is flat; the rest is room for what later versions add. */
#define DEPTH_MAX 16

/* What an order may be about. Each kind uses one of them, and the table below
 * says which. */
struct members {
	struct slice order, queue, id, worker, signal, asker;
};

#define MEMBER(member, ...)                                                    \
	{                                                                      \
		.name = {#member, sizeof(#member) - 1}, .type = FIELD_TEXT,    \
		.offset = offsetof(struct members, member), __VA_ARGS__        \
	}

static const struct field fields[] = {
    MEMBER(order, .required = true),
    MEMBER(queue),
    MEMBER(id),
    MEMBER(worker),
    MEMBER(signal),
    MEMBER(asker),
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct {
	struct slice text;
	struct slice key; /* of its subject, as it is written */
	size_t at;	  /* its subject, in struct members */
} orders[] = {
#define X(kind, order_text, member)                                            \
	[ORDER_##kind] = {                                                     \
	    .text = {order_text, sizeof(order_text) - 1},                      \
	    .key = {",\"" #member "\":", sizeof(",\"" #member "\":") - 1},     \
	    .at = offsetof(struct members, member)},
    ORDERS(X)
#undef X
};
#define N_ORDERS (sizeof(orders) / sizeof(orders[0]))

int
order_read(struct slice message, struct buf *scratch, struct order *ret,
	   struct err *err)
{
	const struct fields_in in = {.table = fields,
				     .n = N_FIELDS,
				     .max_depth = DEPTH_MAX,
				     .scratch = scratch};
	struct members members = {.order = {NULL, 0}};
	size_t i;

	if (fields_read(&in, message, &members, err) != 0)
		return -1;
	for (i = 0; i < N_ORDERS; i++)
		if (slice_eq(members.order, orders[i].text))
			break;
	if (i == N_ORDERS)
		return err_set(
		    err, ERR_DATA, "unknown worker command \"%.*s\"",
		    (int)(members.order.len < 40 ? members.order.len : 40),
		    members.order.p);
	ret->kind = (enum order_kind)i;
	/* The offset is that of a struct slice, by the X-macro. */
	memcpy(&ret->subject, (const char *)&members + orders[i].at,
	       sizeof(ret->subject));
	ret->signal = members.signal;
	ret->asker = members.asker;
	if (ret->subject.p == NULL)
		return err_set(err, ERR_DATA,
			       "the worker command \"%s\" lacks %.*s",
			       orders[i].text.p, (int)orders[i].key.len - 4,
			       orders[i].key.p + 2);
	return 0;
}

void
order_write(const struct order *order, struct buf *out)
{
	write_text(out, WRITE_FIRST("order"), orders[order->kind].text);
	write_text(out, orders[order->kind].key, order->subject);
	if (order->signal.len > 0)
		write_text(out, WRITE_NEXT("signal"), order->signal);
	if (order->asker.len > 0)
		write_text(out, WRITE_NEXT("asker"), order->asker);
	write_end(out);
}
