/* SPDX-License-Identifier: MIT */
/* Between the files flows_*.c. */
#ifndef MANAGER_FLOWS_PRIVATE_H
#define MANAGER_FLOWS_PRIVATE_H

#include <jansson.h>

/* The places of steps in their array, by the IDs of their tasks. */
json_t *flow_step_numbers(const json_t *steps);
/* That of what an element of "after" names; NULL: it is not among them. */
const json_t *flow_number_of(const json_t *numbers, const char *after);

#endif
