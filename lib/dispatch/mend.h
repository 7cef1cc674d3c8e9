/* SPDX-License-Identifier: MIT */
/*
 * Mending of workflows, as its own files see it.
 *
 *	mend.c		workflows, and pages of their released steps
 *	mend_lost.c	those of a page that are lost
 */
#ifndef DISPATCH_MEND_H
#define DISPATCH_MEND_H

#include "dispatch/state.h"
#include "store/flow.h"
#include "store/lost.h"

/* One of a page. */
struct mend_step {
	struct mend *mend;
	char id[TASK_ID_MAX + 1];
	enum flow_role role;
	/* Of one that may be lost: its queue, with a NUL behind, which is asked for
	 * it once; and the digest of its record. */
	struct buf queue;
	bool suspect;
	char digest[LOST_DIGEST_SIZE];
	/* Of one that is: the record with which it ends. */
	struct buf ended;
	struct results_put put;
};

struct mend {
	struct dispatch *dispatch;
	bool under_way;
	struct buf flows; /* each with a NUL behind; `at` is the one at hand */
	size_t at;
	struct buf cursor; /* of its next page */
	struct mend_step *steps;
	size_t n;
	size_t left; /* answers, and one more while they are asked for */
	/* Steps that were nowhere, of which the first are judged in this turn; and
	 * their workflows. */
	struct lost_suspects suspects;
	size_t judged;
	struct buf suspected; /* as `flows` */
};

static inline const char *
mend_flow(const struct mend *m)
{
	return m->flows.data + m->at;
}

/* --- mend.c ---------------------------------------------------------------- */

/* Adds a workflow to a list, unless it is there. */
void mend_list(struct buf *flows, struct slice flow);
/* One of the answers in `left` has come. */
void mend_answered(struct mend *m);
/* Whether that is the record of a step that has ended, and how. A step whose record is
 * gone ended long ago, with an unknown outcome; a callback has none before it runs. */
bool mend_judge(enum flow_role role, struct slice record,
		enum flow_outcome *ret);
/* Tells the workflow; mend_answered() follows. */
void mend_end(struct mend_step *step, enum flow_outcome outcome);

/* --- mend_lost.c ------------------------------------------------------------ */

/* A turn begins: with the workflows of suspects whose time has come. */
void mend_lost_begin(struct mend *m);
/* A step has been released, and its record is not final. */
void mend_lost_suspect(struct mend_step *step, struct slice record);
/* Asks the queue of the next suspect for all suspects that it should have; then
 * mend_answered() follows. false: there are none. */
bool mend_lost_ask(struct mend *m);
void mend_lost_done(struct mend *m);

#endif
