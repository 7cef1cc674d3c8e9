/* SPDX-License-Identifier: MIT */
/*
 * Adds two numbers on a worker: the smallest program that submits a task and
 * waits for its result. Prints the result; exits with the code of the error.
 *
 *	cc client_example.c $(pkg-config --cflags --libs flowrra)
 */
#include <stdio.h>
#include <stdlib.h>

#include <flowrra/client.h>

/* Submits "add", waits at most 30 seconds, prints what came of it. */
static int
add(struct flowrra_client *client, const char *numbers,
    struct flowrra_error *error)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_record *record;
	char id[FLOWRRA_ID_SIZE];
	int status = 0;

	request.name = "add";
	request.args = numbers; /* a JSON array */
	if (flowrra_call(client, &request, 30, id, &record, error) != 0)
		return error->code;
	if (record->state == FLOWRRA_SUCCESS) {
		printf("%s\n", record->result);
	} else {
		snprintf(error->message, sizeof(error->message), "%s",
			 record->error != NULL ? record->error : "failed");
		status = FLOWRRA_TASK_FAILED;
	}
	flowrra_record_free(record);
	return status;
}

int
main(int argc, char **argv)
{
	struct flowrra_client *client;
	struct flowrra_error error;
	int status;

	/* Where the broker is comes from flowrra.conf or the environment. */
	if (flowrra_open(NULL, &client, &error) != 0) {
		fprintf(stderr, "%s\n", error.message);
		return error.code;
	}
	status = add(client, argc > 1 ? argv[1] : "[2, 3]", &error);
	if (status != 0)
		fprintf(stderr, "%s\n", error.message);
	flowrra_close(client);
	return status;
}
