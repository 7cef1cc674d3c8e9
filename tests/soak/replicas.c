/* SPDX-License-Identifier: MIT */
/* A master whose replica lags. */
#include "soak/replicas.h"

#include <flowrra/client.h>

#include "redis_server.h"

/* A server may end connections late, and what is refused then may be queued all the
 * same. */
void
replicas_submit_long(struct scene *s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	char id[FLOWRRA_ID_SIZE];
	unsigned int i;

	request.name = "ledger";
	request.args =
	    world_text(s->world, "[\"%s\",3500]", ledger_path(s->ledger));
	request.queue = "io";
	request.force = true;
	for (i = 0; i < 3; i++) {
		request.delay_s = (double)rng_between(&s->rng, 30, 250) / 1000;
		if (flowrra_submit(s->client, &request, id, NULL) == 0)
			ledger_submitted(s->ledger, id, true, 0, 0);
	}
}

void
replicas_lag(struct scene *s, struct redis_server *master)
{
	redis_server_run(master, "ACL SETUSER default -psync -sync");
	redis_server_run(master, "CLIENT KILL TYPE replica");
	scene_sleep_between(s, 50, 500);
}

void
replicas_break(struct scene *s, struct redis_server *master, enum way way)
{
	replicas_submit_long(s);
	replicas_lag(s, master);
	if (way == WAY_KILL)
		redis_server_kill(master);
	else
		redis_server_pause(master);
}

void
replicas_mend(struct redis_server *master, enum way way)
{
	if (way == WAY_KILL)
		redis_server_restart(master);
	else if (way == WAY_STOP)
		redis_server_continue(master);
	redis_server_reconnect(master);
	redis_server_run(master, "ACL SETUSER default +psync +sync");
}
