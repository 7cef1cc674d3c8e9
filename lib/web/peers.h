/* SPDX-License-Identifier: MIT */
/*
 * Which role the peers of a Unix socket have: [web] peers.
 *
 * The kernel tells who a peer is. Nothing is looked up while a request waits: names
 * of groups become numbers when the configuration is read.
 */
#ifndef WEB_PEERS_H
#define WEB_PEERS_H

#include <stdbool.h>

#include "web/auth.h"

struct err;
struct web_peers;

/* NULL with *err: ERR_CONFIG for what is not NAME:ROLE, @GROUP:ROLE or *:ROLE. A
 * group that does not exist has no members. */
struct web_peers *peers_new(const char *text, struct err *err);
void peers_free(struct web_peers *peers);

/*
 * The role of a peer with that login name; a line with the name goes before those of
 * its groups, of which the highest role counts, and those before "*". *ret_subject,
 * which is the peers', is the word that gave it. WEB_OPEN: none.
 */
enum web_role peers_role(const struct web_peers *peers, const char *name,
			 const struct auth_request *request,
			 const char **ret_subject);
/* Whether that word still gives that role. */
bool peers_holds(const struct web_peers *peers, const char *subject,
		 enum web_role role);

#endif
