/* SPDX-License-Identifier: MIT */
/* What the campaign has found, as a table. */
#ifndef TESTS_SOAK_TABLE_H
#define TESTS_SOAK_TABLE_H

#include "soak/soak.h"

/* One run of a row. */
struct job {
	const struct row *row;
	enum soak_broker broker;
	unsigned int run;
	struct tally *tally;
	pid_t pid;
	bool failed;
};

/* `jobs` of one row and broker stand together. */
void table_print(const struct job *jobs, size_t n,
		 const char *const broker_names[SOAK_BROKERS]);
/* The closing line, as Check prints it; returns how many have failed. */
unsigned int table_summary(const struct job *jobs, size_t n);

#endif
