/* SPDX-License-Identifier: MIT */
/* Compiled as C and as C++: the header alone, and the use of its macros. */
#include <flowrra/client.h>

int use_client(void);

int
use_client(void)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_client *client;
	struct flowrra_error error;
	char id[FLOWRRA_ID_SIZE];
	int r;

	if (options.size != sizeof(options) || options.settings != NULL ||
	    request.size != sizeof(request) || request.queue != NULL ||
	    request.priority != 0 || request.max_retries != FLOWRRA_UNSET ||
	    request.at_us != 0 || request.retry_backoff != FLOWRRA_UNSET ||
	    request.cpu_bound != FLOWRRA_UNSET || request.force ||
	    request.unique_ttl_s != FLOWRRA_UNSET)
		return -1;
	if (flowrra_open(&options, &client, &error) != FLOWRRA_OK)
		return error.code;
	request.name = "add";
	r = flowrra_submit(client, &request, id, NULL);
	flowrra_close(client);
	return r;
}
