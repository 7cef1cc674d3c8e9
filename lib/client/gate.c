/* SPDX-License-Identifier: MIT */
/* Waiting until a server is in reach. */
#include "client/gate.h"

void
gate_init(struct gate *gate, struct event_base *base, int64_t timeout_ms)
{
	*gate = (struct gate){.base = base, .timeout_ms = timeout_ms};
	TAILQ_INIT(&gate->waiting);
}

void
gate_leave(struct gate_pass *pass)
{
	if (pass->gate == NULL)
		return;
	evtimer_del(&pass->timer);
	TAILQ_REMOVE(&pass->gate->waiting, pass, next);
	pass->gate = NULL;
}

static void
let(struct gate_pass *pass, const struct err *why)
{
	gate_leave(pass);
	pass->on_pass(pass, why);
}

/* Why nobody gets through: what is final, or that the server is out of reach.
 */
static struct err
reason(const struct gate *gate)
{
	struct err err = gate->why;

	if (err.code == ERR_NONE)
		err_set(&err, ERR_UNAVAILABLE,
			"no connection after %lld ms; is the server running?",
			(long long)gate->timeout_ms);
	else if (!gate->closed)
		err.code = ERR_UNAVAILABLE;
	return err;
}

void
gate_state(struct gate *gate, bool up, bool final, const struct err *why)
{
	struct gate_pass *pass;
	struct err err;

	gate->up = up;
	gate->closed = final;
	if (why != NULL)
		gate->why = *why;
	if (!up && !final)
		return;
	err = reason(gate);
	/* A callback may put others into the queue: they find the gate as it
	 * is now and do not wait. */
	while ((pass = TAILQ_FIRST(&gate->waiting)) != NULL)
		let(pass, gate->up ? NULL : &err);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct gate_pass *pass = arg;
	struct err err = reason(pass->gate);

	let(pass, &err);
}

void
gate_enter(struct gate *gate, struct gate_pass *pass)
{
	struct timeval timeout = {gate->timeout_ms / 1000,
				  gate->timeout_ms % 1000 * 1000};
	struct err err;

	if (gate->up) {
		pass->on_pass(pass, NULL);
		return;
	}
	if (gate->closed) {
		err = reason(gate);
		pass->on_pass(pass, &err);
		return;
	}
	pass->gate = gate;
	evtimer_assign(&pass->timer, gate->base, on_timeout, pass);
	evtimer_add(&pass->timer, &timeout);
	TAILQ_INSERT_TAIL(&gate->waiting, pass, next);
}
