/* SPDX-License-Identifier: MIT */
/* Which role the peers of a Unix socket have. */
#include "web/peers.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "util/conf.h"
#include "util/err.h"
#include "web/users.h"

/* The largest entry of a group that is looked up: some thousand members. */
#define GROUP_BYTES 65536

/* What the kernel calls groups that a user namespace does not have, all of them alike
 * (user_namespaces(7)): nobody is known to be in it. */
#define OVERFLOW_GID 65534

/* A line of [web] peers. */
struct rule {
	const char *subject; /* "anna", "@staff", "*" */
	enum web_role role;
	bool known; /* of a group: it exists */
	gid_t gid;
};

struct web_peers {
	char **words; /* which the subjects are parts of */
	struct rule *rules;
	size_t n;
};

/* By number, or by its name. */
static bool
rule_find_group(struct rule *rule, const char *name)
{
	struct group entry, *found = NULL;
	char *buffer, *end;
	unsigned long gid = strtoul(name, &end, 10);

	if (name[0] >= '0' && name[0] <= '9' && *end == '\0') {
		rule->gid = (gid_t)gid;
		return gid < UINT32_MAX;
	}
	if ((buffer = malloc(GROUP_BYTES)) != NULL &&
	    getgrnam_r(name, &entry, buffer, GROUP_BYTES, &found) == 0 &&
	    found != NULL)
		rule->gid = found->gr_gid;
	free(buffer);
	return found != NULL;
}

/* `word` is cut apart. */
static int
rule_read(struct rule *rule, char *word, struct err *err)
{
	char *colon = strrchr(word, ':');

	if (colon == NULL || colon == word ||
	    users_peer_role(colon + 1, &rule->role) != 0)
		return err_set(err, ERR_CONFIG,
			       "[web] peers: \"%.64s\" is not NAME:ROLE, "
			       "@GROUP:ROLE or *:ROLE, with a role of "
			       "submitter, viewer, operator or metrics",
			       word);
	*colon = '\0';
	rule->subject = word;
	rule->known = word[0] == '@' && rule_find_group(rule, word + 1) &&
		      rule->gid != OVERFLOW_GID;
	return 0;
}

struct web_peers *
peers_new(const char *text, struct err *err)
{
	struct web_peers *peers = calloc(1, sizeof(*peers));
	size_t n = 0;

	if (peers == NULL || (peers->words = conf_list(text)) == NULL) {
		peers_free(peers);
		err_nomem(err);
		return NULL;
	}
	while (peers->words[n] != NULL)
		n++;
	if ((peers->rules = calloc(n + 1, sizeof(*peers->rules))) == NULL) {
		err_nomem(err);
		goto fail;
	}
	for (; peers->n < n; peers->n++)
		if (rule_read(&peers->rules[peers->n], peers->words[peers->n],
			      err) != 0)
			goto fail;
	return peers;
fail:
	peers_free(peers);
	return NULL;
}

void
peers_free(struct web_peers *peers)
{
	if (peers == NULL)
		return;
	if (peers->words != NULL)
		conf_list_free(peers->words);
	free(peers->rules);
	free(peers);
}

/* 3: it is the peer's own name, 2: a group of the peer, 1: all; 0: neither. */
static int
rule_fits(const struct rule *rule, const char *name,
	  const struct auth_request *request)
{
	if (rule->subject[0] == '@')
		return rule->known && request->in_group != NULL &&
			       request->in_group(request->arg, rule->gid)
			   ? 2
			   : 0;
	if (strcmp(rule->subject, "*") == 0)
		return 1;
	return strcmp(rule->subject, name) == 0 ? 3 : 0;
}

enum web_role
peers_role(const struct web_peers *peers, const char *name,
	   const struct auth_request *request, const char **ret_subject)
{
	const struct rule *rule, *best = NULL;
	int fit, best_fit = 0;

	for (rule = peers->rules; rule < peers->rules + peers->n; rule++) {
		fit = rule_fits(rule, name, request);
		if (fit < best_fit || fit == 0)
			continue;
		if (fit > best_fit || rule->role > best->role)
			best = rule;
		best_fit = fit;
	}
	*ret_subject = best != NULL ? best->subject : "";
	return best != NULL ? best->role : WEB_OPEN;
}

bool
peers_holds(const struct web_peers *peers, const char *subject,
	    enum web_role role)
{
	const struct rule *rule;

	for (rule = peers->rules; rule < peers->rules + peers->n; rule++)
		if (strcmp(rule->subject, subject) == 0 && rule->role == role)
			return true;
	return false;
}
