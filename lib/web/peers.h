/* SPDX-License-Identifier: MIT */
/*
 * The roles of the peers of a Unix socket: [web] peers.
 *
 * The kernel says who a peer is. Names of groups become numbers when the configuration is
 * read, so that no request waits for a lookup.
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
 * The role of a peer with that login name. A line with the name overrides those of its
 * groups, of which the highest role counts, and these override "*". *ret_subject, which
 * belongs to `peers`, is the word that gave the role. WEB_OPEN: none.
 */
enum web_role peers_role(const struct web_peers *peers, const char *name,
			 const struct auth_request *request,
			 const char **ret_subject);
/* Whether that word still gives that role. */
bool peers_holds(const struct web_peers *peers, const char *subject,
		 enum web_role role);

#endif
