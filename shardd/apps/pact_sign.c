/* pact: ids of rooms, and the signatures that make an admin: SHA-256. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "shardd/apps/pact_sign.h"
#include "shardd/kennel.h"

#define PACT_KEY_MAX	4096		/* bytes of a signing key */

/* SHA-256 of all parts together, in hex. */
static void
pact_sha256(char dst[65], const char *const *parts, const size_t *lens,
    size_t n)
{
	unsigned char	 md[EVP_MAX_MD_SIZE];
	EVP_MD_CTX	*c = EVP_MD_CTX_new();
	unsigned	 len = 0;

	if (c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1) {
		for (size_t i = 0; i < n; i++)
			EVP_DigestUpdate(c, parts[i], lens[i]);
		EVP_DigestFinal_ex(c, md, &len);
	}
	EVP_MD_CTX_free(c);
	for (unsigned i = 0; i < 32; i++)
		sprintf(dst + 2 * i, "%02x", i < len ? md[i] : 0);
}

void
pact_room_id(char dst[PACT_ID + 1], const char *group, size_t len)
{
	char	 hex[65];

	pact_sha256(hex, &group, &len, 1);
	memcpy(dst, hex, PACT_ID);
	dst[PACT_ID] = '\0';
}

/* The key: from the file that signing_key_file names, without its last newline, or what
 * the gateway had in its environment.  NULL: nobody becomes admin. */
static const char *
pact_signing_key(void)
{
	static char	 key[PACT_KEY_MAX + 1];
	static int	 read;
	const char	*path = kennel_option("signing_key_file");
	const char	*env = kennel_option("signing_key");
	FILE		*f;
	size_t		 n;

	if (read)
		return (key[0] == '\0' ? NULL : key);
	read = 1;
	if (path != NULL && *path != '\0') {
		if ((f = fopen(path, "re")) == NULL) {
			kennel_log("signing_key_file %s: %s", path,
			    strerror(errno));
			return (NULL);
		}
		n = fread(key, 1, sizeof(key) - 1, f);
		fclose(f);
		while (n > 0 && (key[n - 1] == '\n' || key[n - 1] == '\r'))
			n--;
		key[n] = '\0';
	} else if (env != NULL)
		snprintf(key, sizeof(key), "%s", env);
	return (key[0] == '\0' ? NULL : key);
}

int
pact_signed(const char *room, size_t room_len, const char *ts,
    const json_t *key)
{
	const char	*secret = pact_signing_key();
	const char	*given = json_string_value(key);
	const char	*parts[3] = { room, ts, secret };
	size_t		 lens[3] = { room_len, strlen(ts), 0 };
	char		 want[65], have[65];

	if (secret == NULL || json_string_length(key) != 64)
		return (0);
	lens[2] = strlen(secret);
	pact_sha256(want, parts, lens, 3);
	for (size_t i = 0; i < 64; i++)
		have[i] = (char)tolower((unsigned char)given[i]);
	return (CRYPTO_memcmp(want, have, 64) == 0);
}
