/* SPDX-License-Identifier: MIT */
/* What the tests of the client share: a client on a private server, and a
 * worker's hand to write records. */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include <jansson.h>

#include "flowrra/client.h"

struct redis_server;

/* Opens a client on `server`, with a socket_timeout of half a second; `setting`
 * may be NULL. Aborts the test on failure. */
struct flowrra_client *fixture_open(struct redis_server *server,
				    const char *setting);
/* Registers a task with an entry (JSON). */
void fixture_register(struct redis_server *server, const char *name,
		      const char *entry);
/* Submits "add" and writes its id. */
void fixture_submit(struct flowrra_client *client, char id[FLOWRRA_ID_SIZE]);

/* A reply of the server, as an integer or as JSON. `argument` may be NULL for
 * integers. */
long long fixture_integer(struct redis_server *server, const char *command,
			  const char *argument);
json_t *fixture_json(struct redis_server *server, const char *command,
		     const char *argument);

/* Stores a final record and tells those who wait for it. */
void fixture_finish(struct redis_server *server, const char *id,
		    const char *status, const char *result);
/* Waits until somebody waits for the task. */
void fixture_await_waiter(struct redis_server *server, const char *id);

#endif
