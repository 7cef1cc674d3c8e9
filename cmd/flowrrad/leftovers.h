/* SPDX-License-Identifier: MIT */
/*
 * What workers with other ids have left in the state directory: a container
 * gets a new name with each start, and with it a new id, but keeps its volume.
 */
#ifndef FLOWRRAD_LEFTOVERS_H
#define FLOWRRAD_LEFTOVERS_H

struct identity;

/*
 * Adds the results in spools whose worker does not run to the spool of this
 * worker, which delivers them, and removes what has no further use. To be called
 * with the lock held, before the spool is opened. What cannot be done is logged
 * and stays for the next start.
 */
void leftovers_adopt(const struct identity *who);

#endif
