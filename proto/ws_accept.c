/* The WebSocket handshake (RFC 6455 4.2.2). */
#include <ctype.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "proto/ws_accept.h"

#define WS_KEY_LEN	24

int
ws_key_ok(struct slice key)
{
	if (key.len != WS_KEY_LEN || memcmp(key.data + 22, "==", 2) != 0)
		return (0);
	for (size_t i = 0; i < 22; i++)
		if (!isalnum((unsigned char)key.data[i]) &&
		    key.data[i] != '+' && key.data[i] != '/')
			return (0);
	return (1);
}

/* SHA1() and EVP_sha1() look the algorithm up each time, which costs as much as
 * using it. */
static int
ws_sha1(unsigned char sha[SHA_DIGEST_LENGTH], const void *p, size_t len)
{
	static EVP_MD_CTX	*ctx;
	static EVP_MD		*md;

	if ((md == NULL && (md = EVP_MD_fetch(NULL, "SHA1", NULL)) == NULL) ||
	    (ctx == NULL && (ctx = EVP_MD_CTX_new()) == NULL))
		return (-1);
	if (EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, p, len) &&
	    EVP_DigestFinal_ex(ctx, sha, NULL))
		return (0);
	EVP_MD_CTX_free(ctx);
	ctx = NULL;
	return (-1);
}

int
ws_accept(char dst[WS_ACCEPT_LEN + 1], struct slice key)
{
	static const char	 guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char		 sha[SHA_DIGEST_LENGTH];
	char			 text[WS_KEY_LEN + sizeof(guid) - 1];

	if (key.len != WS_KEY_LEN)
		return (-1);
	memcpy(text, key.data, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, guid, sizeof(guid) - 1);
	if (ws_sha1(sha, text, sizeof(text)) == -1)
		return (-1);
	EVP_EncodeBlock((unsigned char *)dst, sha, sizeof(sha));
	return (0);
}
