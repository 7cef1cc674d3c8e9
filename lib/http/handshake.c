/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of a WebSocket (RFC 6455, section 4.2): whether a request
 * asks for one, whether it may have it, and the proof that we have understood.
 */
#include <openssl/evp.h>
#include <string.h>

#include "http/state.h"
#include "http/text.h"

/* Of RFC 6455, section 1.3: no server but one of WebSockets would append it. */
#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
/* 16 bytes in base64. */
#define WS_KEY_LEN 24

bool
http_ws_asked(const struct http_request *request)
{
	return request->method == HTTP_GET &&
	       strcmp(request->method_name, "GET") == 0 &&
	       http_has_token(http_header(request, "Upgrade"), "websocket") &&
	       http_has_token(http_header(request, "Connection"), "upgrade");
}

/* RFC 6455, section 4.2.2: base64(SHA-1(key + GUID)). */
int
http_ws_accept(const char *key, char accept[HTTP_WS_ACCEPT_SIZE])
{
	char text[WS_KEY_LEN + sizeof(WS_GUID)];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n;

	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, WS_GUID, sizeof(WS_GUID));
	if (EVP_Digest(text, strlen(text), digest, &n, EVP_sha1(), NULL) != 1)
		return -1;
	EVP_EncodeBlock((unsigned char *)accept, digest, (int)n);
	return 0;
}

/* 16 bytes in base64: 22 digits and "==". */
static bool
ws_is_key(const char *key)
{
	return key != NULL && strlen(key) == WS_KEY_LEN &&
	       strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "abcdefghijklmnopqrstuvwxyz0123456789+/") ==
		   WS_KEY_LEN - 2 &&
	       strcmp(key + WS_KEY_LEN - 2, "==") == 0;
}

/* In this order: what it is not, what it lacks, what we lack. */
bool
http_ws_refuses(struct http_request *request)
{
	const char *version = http_header(request, "Sec-WebSocket-Version");
	struct http_server *server = request->conn->server;

	if (!http_ws_asked(request) || version == NULL ||
	    strcmp(version, "13") != 0 || request->http_1_0)
		http_refuse(request, 426,
			    "this path is for WebSockets, version 13");
	else if (!ws_is_key(http_header(request, "Sec-WebSocket-Key")))
		http_refuse(request, 400, "the Sec-WebSocket-Key is malformed");
	else if (server->n_streams >= server->limits.max_streams)
		http_refuse(request, 503, "there are too many streams");
	else
		return false;
	return true;
}
