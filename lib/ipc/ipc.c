/* SPDX-License-Identifier: MIT */
/*
 * Frames between flowrrad and an executor: the codec and the channel.
 *
 * Both sides read with this code, and neither trusts the other: an executor has
 * modules in its memory that may overwrite anything, so that a frame is checked
 * before it is believed, and one that is wrong ends the channel. There is no
 * way back into step on a stream whose sizes are wrong.
 */
#include "ipc/ipc.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/err.h"

/* One read asks for this much, a third of what the socket holds by default:
 * most batches come in one read. One call of ipc_channel_read() for READ_CALL,
 * so that a busy other side does not keep the caller from everything else. */
#define READ_STEP (64u << 10)
#define READ_CALL (1u << 20)
/* An empty buffer larger than this gives its memory back: a single large result
 * must not cost its size in each channel for ever, while batches of small
 * messages, which stay below this, keep theirs. */
#define KEEP_MAX (256u << 10)

/* What follows the fixed part; only "none" is checked here. That text is UTF-8
 * and JSON is valid is for those to check who use it. */
enum rest { REST_none, REST_text, REST_json, REST_parts };

static const struct type {
	const char *name; /* NULL: no such message */
	enum ipc_direction direction;
	enum rest rest;
	uint32_t fixed_size;
} types[] = {
#define IPC_MESSAGE(msg, number, to, fixed, what)                              \
	[number] = {.name = #msg,                                              \
		    .direction = IPC_TO_##to,                                  \
		    .rest = REST_##what,                                       \
		    .fixed_size = sizeof(fixed)},
#include "ipc/messages.def"
#undef IPC_MESSAGE
};

/* All fixed parts fit the union that ipc_parse() copies them to. */
#define IPC_MESSAGE(msg, number, to, fixed, what)                              \
	_Static_assert(sizeof(fixed) <= sizeof(union ipc_fixed), #msg);
#include "ipc/messages.def"
#undef IPC_MESSAGE

/* NULL for numbers that no message has, the gaps in the table included. */
static const struct type *
find_type(uint32_t type)
{
	if (type >= sizeof(types) / sizeof(types[0]) || !types[type].name)
		return NULL;
	return &types[type];
}

const char *
ipc_name(uint32_t type)
{
	const struct type *t = find_type(type);

	return t ? t->name : "?";
}

void
ipc_put(struct buf *out, enum ipc_type type, uint32_t task, const void *fixed,
	const struct slice *rest, size_t n_rest)
{
	size_t fixed_size = types[type].fixed_size, i;
	size_t size = sizeof(struct ipc_header) + fixed_size;
	struct ipc_header header;
	char *p;

	/* The sum is compared before it is made: it cannot wrap around. */
	for (i = 0; i < n_rest; i++) {
		if (rest[i].len > IPC_FRAME_MAX - size) {
			out->failed = true;
			return;
		}
		size += rest[i].len;
	}
	if (buf_reserve(out, size) != 0)
		return;
	/* Copied, not placed: the frame before may end at any byte. */
	header = (struct ipc_header){(uint32_t)size, type, task};
	p = out->data + out->len;
	p = mempcpy(p, &header, sizeof(header));
	if (fixed_size > 0)
		p = mempcpy(p, fixed, fixed_size);
	for (i = 0; i < n_rest; i++)
		if (rest[i].len > 0)
			p = mempcpy(p, rest[i].p, rest[i].len);
	/* As struct buf promises; not part of the frame. */
	*p = '\0';
	out->len += size;
}

/* Looks at what can be judged without the whole frame, so that a hostile size
 * is refused before anybody waits or makes room for it. NULL if it is. */
static const struct type *
check_header(const struct ipc_header *h, enum ipc_direction direction,
	     struct err *err)
{
	const struct type *t = find_type(h->type);
	size_t least = t ? sizeof(*h) + t->fixed_size : 0;

	if (t == NULL)
		err_set(err, ERR_DATA, "ipc: unknown message type %u", h->type);
	else if (t->direction != direction)
		err_set(err, ERR_DATA, "ipc: %s came in the wrong direction",
			t->name);
	else if (h->size < least)
		err_set(err, ERR_DATA,
			"ipc: %s has %u bytes, fewer than its %zu", t->name,
			h->size, least);
	else if (h->size > IPC_FRAME_MAX)
		err_set(err, ERR_DATA,
			"ipc: %s has %u bytes; a frame has at most %u", t->name,
			h->size, IPC_FRAME_MAX);
	else if (t->rest == REST_none && h->size != least)
		err_set(err, ERR_DATA, "ipc: %s has %zu bytes too many",
			t->name, h->size - least);
	else
		return t;
	return NULL;
}

ssize_t
ipc_parse(struct slice bytes, enum ipc_direction direction,
	  union ipc_fixed *scratch, struct ipc_message *ret, size_t *ret_need,
	  struct err *err)
{
	const struct type *t;
	struct ipc_header h;
	size_t least;

	if (bytes.len < sizeof(h)) {
		*ret_need = sizeof(h);
		return 0;
	}
	memcpy(&h, bytes.p, sizeof(h));
	if ((t = check_header(&h, direction, err)) == NULL)
		return -1;
	/* All but the bytes themselves is known to be right by now. */
	if (bytes.len < h.size) {
		*ret_need = h.size;
		return 0;
	}
	least = sizeof(h) + t->fixed_size;
	memcpy(scratch, bytes.p + sizeof(h), t->fixed_size);
	*ret = (struct ipc_message){
	    .type = (enum ipc_type)h.type,
	    .task = h.task,
	    .fixed = scratch,
	    .rest = {bytes.p + least, h.size - least},
	};
	return (ssize_t)h.size;
}

/* Cuts `len` bytes off the front; the caller has checked that all add up. */
static struct slice
ipc_cut(struct slice *s, size_t len)
{
	struct slice front = {s->p, len};

	s->p += len;
	s->len -= len;
	return front;
}

int
ipc_run_parts(const struct ipc_message *run, struct ipc_run_parts *ret,
	      struct err *err)
{
	const struct ipc_run *r = run->fixed;
	struct slice rest = run->rest;

	/* 64-bit sum: seven lengths of 32 bits cannot wrap around in it. */
	if ((uint64_t)r->id_len + r->name_len + r->args_len + r->kwargs_len +
		r->traceparent_len + r->tracestate_len + r->flow_len !=
	    rest.len)
		return err_set(err, ERR_DATA,
			       "ipc: the parts of RUN do not add up to its "
			       "%zu bytes",
			       rest.len);
	ret->id = ipc_cut(&rest, r->id_len);
	ret->name = ipc_cut(&rest, r->name_len);
	ret->args = ipc_cut(&rest, r->args_len);
	ret->kwargs = ipc_cut(&rest, r->kwargs_len);
	ret->traceparent = ipc_cut(&rest, r->traceparent_len);
	ret->tracestate = ipc_cut(&rest, r->tracestate_len);
	ret->flow = ipc_cut(&rest, r->flow_len);
	return 0;
}

void
ipc_channel_init(struct ipc_channel *c, int fd, enum ipc_direction incoming)
{
	*c = (struct ipc_channel){.fd = fd, .incoming = incoming};
}

void
ipc_channel_done(struct ipc_channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
	buf_done(&c->out);
	c->in_pos = c->out_pos = 0;
}

/* Empties a buffer whose content is used up; a huge one goes back. */
static void
empty(struct buf *b, size_t *pos)
{
	*pos = 0;
	if (b->cap > KEEP_MAX)
		buf_done(b);
	else
		buf_reset(b);
}

/* Moves the unread rest, at most part of one frame, to the front before more
 * is read: once a read, never once a frame. */
static int
channel_make_room(struct ipc_channel *c, size_t more)
{
	if (c->in_pos == c->in.len) {
		empty(&c->in, &c->in_pos);
	} else if (c->in_pos > 0 && c->in.cap - c->in.len <= more) {
		buf_drain(&c->in, c->in_pos);
		c->in_pos = 0;
	}
	return buf_reserve(&c->in, more);
}

/* The flags are those of the first recv(): only that may wait. */
static int
channel_read(struct ipc_channel *c, int flags, struct err *err)
{
	size_t total = 0;
	ssize_t n;

	while (total < READ_CALL) {
		if (channel_make_room(c, READ_STEP) != 0)
			return err_nomem(err);
		n = recv(c->fd, c->in.data + c->in.len, READ_STEP, flags);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n == -1)
			return err_sys(err, ERR_UNAVAILABLE,
				       "ipc: cannot read from the other side");
		/* What came before the end counts first. */
		if (n == 0 && total > 0)
			break; /* found again by the next call */
		if (n == 0)
			return err_set(
			    err, ERR_UNAVAILABLE,
			    "ipc: the other side has closed the connection");
		c->in.len += (size_t)n;
		c->in.data[c->in.len] = '\0';
		total += (size_t)n;
		flags = MSG_DONTWAIT;
		/* A short read has emptied the socket, almost certainly. */
		if ((size_t)n < READ_STEP)
			break;
	}
	return total > 0;
}

int
ipc_channel_read(struct ipc_channel *c, struct err *err)
{
	return channel_read(c, MSG_DONTWAIT, err);
}

/* One system call between a task and its handler. The price: the reader is also
 * woken, with nothing to do, when the other side has read something. */
int
ipc_channel_wait(struct ipc_channel *c, struct err *err)
{
	return channel_read(c, 0, err);
}

int
ipc_channel_next(struct ipc_channel *c, struct ipc_message *ret,
		 struct err *err)
{
	size_t need = 0;
	ssize_t n;

	/* The usual case, without a look at the header. */
	if (c->in_pos == c->in.len)
		return 0;
	n = ipc_parse(
	    (struct slice){c->in.data + c->in_pos, c->in.len - c->in_pos},
	    c->incoming, &c->fixed, ret, &need, err);
	if (n <= 0)
		return (int)n;
	c->in_pos += (size_t)n;
	return 1;
}

int
ipc_channel_flush(struct ipc_channel *c, struct err *err)
{
	ssize_t n;

	if (c->out.failed)
		return err_set(err, ERR_SYSTEM,
			       "ipc: out of memory, or a frame over %u bytes",
			       IPC_FRAME_MAX);
	/* MSG_NOSIGNAL: that the other side has died is an error here, and not
	 * a SIGPIPE of the program's. */
	while (c->out_pos < c->out.len) {
		n = send(c->fd, c->out.data + c->out_pos,
			 c->out.len - c->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n == -1)
			return err_sys(err, ERR_UNAVAILABLE,
				       "ipc: cannot write to the other side");
		c->out_pos += (size_t)n;
	}
	if (c->out_pos < c->out.len) {
		/* Keeps the sent part from piling up behind a slow reader; at
		 * half, so that each byte is moved at most once or so. */
		if (c->out_pos > c->out.len / 2) {
			buf_drain(&c->out, c->out_pos);
			c->out_pos = 0;
		}
		return 0;
	}
	empty(&c->out, &c->out_pos);
	return 1;
}
