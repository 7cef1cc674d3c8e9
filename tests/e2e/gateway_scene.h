/* SPDX-License-Identifier: MIT */
/*
 * The services of a machine of a test's own (machine.h), with a gateway: flowrra-web's
 * Unix socket, which is open to all.
 */
#ifndef TESTS_E2E_GATEWAY_SCENE_H
#define TESTS_E2E_GATEWAY_SCENE_H

#include <stdbool.h>

#include "e2e/machine.h"

#define SOCKET "/run/flowrra/web.sock"
#define EVERYBODY "peers = root:operator *:submitter"
/* curl as a user, to the gateway; it prints the status. */
#define CURL_STATUS                                                            \
	"curl -s -o /dev/null -w '%%{http_code}' --unix-socket " SOCKET " "

struct services {
	struct world *w;
	struct run *worker, *web;
};

/* With these lines in [web]. NULL where there cannot be one. */
struct services *services_start(bool embedded, const char *lines);
void services_stop(struct services *s);
/* Starts flowrra-web again. */
void services_start_web(struct services *s);

/* This user's submission is run. */
#define ck_submits(s, as)                                                      \
	ck_run(run((s)->w, as "flowrractl submit echo 1 --wait"), 0,           \
	       "{\"args\":[1],\"kwargs\":{}}\n")
/* It is refused with this exit status, and this in its complaint. */
#define ck_submits_not(s, as, status, part)                                    \
	ck_complains(run((s)->w, as "flowrractl submit echo 1"), status, part)

#endif
