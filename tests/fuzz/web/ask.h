/* SPDX-License-Identifier: MIT */
/* The routes of flowrra-web over a client, without its server: for fuzz targets. */
#ifndef TESTS_FUZZ_WEB_ASK_H
#define TESTS_FUZZ_WEB_ASK_H

#include <stdbool.h>

#include "util/buf.h"
#include "web/call.h"

void must(bool condition);

/* Opens a client with these settings ("broker.url=…", NULL at the end), which must
 * last until web_asked_close(). False: they, or the stores, are not what they
 * should be. */
bool web_ask_open(const char *const *settings);
void web_ask_close(void);
struct flowrra_client *web_ask_client(void);

/* Asks, with a target that is a path and its query; it is changed. What comes back
 * has a status, is JSON where it says so, and does not contain `secret`. Returns
 * the status; 0: there is no such route, or it is one for the loop. */
int web_ask(const char *method, char *target, struct slice body,
	    enum web_role role, const char *secret);

#endif
