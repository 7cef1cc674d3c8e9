/* SPDX-License-Identifier: MIT */
/* What the doctor's examinations share. */
#ifndef MANAGER_DOCTOR_PRIVATE_H
#define MANAGER_DOCTOR_PRIVATE_H

#include <stdint.h>

#include <jansson.h>

struct flowrra_client;

enum doctor_level { DOCTOR_ERROR, DOCTOR_WARNING };

struct doctor {
	struct flowrra_client *client;
	json_t *errors, *warnings;
	json_t *queues, *workers; /* NULL: the broker is out of reach */
	int64_t foreign;	  /* as of broker_report */
	/* The broker's clock, 0 if it is not known, and ours when it was read. */
	int64_t broker_us, broker_read_us;
};

/* Of a noun of which there are `n`: its ending. */
static inline const char *
doctor_s(long long n)
{
	return n == 1 ? "" : "s";
}

/* Notes a finding. `remedy` is a whole sentence. */
void doctor_find(struct doctor *d, enum doctor_level level, const char *about,
		 const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* The remedy for a store that fails: a file cannot be started, and its message
 * says by itself what is to be put right. */
const char *doctor_remedy(const char *url, const char *of_server,
			  const char *of_file);

void doctor_queues(struct doctor *d);
void doctor_tasks(struct doctor *d);
void doctor_files(struct doctor *d);
void doctor_schedules(struct doctor *d);

#endif
