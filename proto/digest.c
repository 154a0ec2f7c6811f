/* Names made of digests. */
#include <string.h>
#include <strings.h>

#include <openssl/sha.h>

#include "proto/digest.h"

int
digest_name(char dst[DIGEST_LEN + 1], struct slice credential)
{
	unsigned char	 sha[SHA256_DIGEST_LENGTH];
	const size_t	 n = sizeof(DIGEST_PREFIX) - 1;

	if (SHA256((const unsigned char *)(credential.len > 0 ?
	    credential.data : ""), credential.len, sha) == NULL)
		return (-1);
	memcpy(dst, DIGEST_PREFIX, n);
	bytes_hex(dst + n, sha, sizeof(sha));
	return (0);
}

int
digest_group(char dst[DIGEST_GROUP + 1], struct slice group)
{
	unsigned char	 sha[SHA256_DIGEST_LENGTH];

	if (SHA256((const unsigned char *)(group.len > 0 ? group.data : ""),
	    group.len, sha) == NULL)
		return (-1);
	bytes_hex(dst, sha, DIGEST_GROUP / 2);
	return (0);
}

int
digest_is_one(struct slice name)
{
	const size_t	 n = sizeof(DIGEST_PREFIX) - 1;

	return (name.len >= n && memcmp(name.data, DIGEST_PREFIX, n) == 0);
}

int
digest_is_secret(struct slice field)
{
	static const char *const	 words[] = { "api-key", "apikey",
	    "assertion", "authorization", "cookie", "credential", "jwt", "oidc",
	    "passw", "secret", "token" };
	size_t				 n;

	for (size_t i = 0; i < nitems(words); i++) {
		n = strlen(words[i]);
		for (size_t at = 0; at + n <= field.len; at++)
			if (strncasecmp(field.data + at, words[i], n) == 0)
				return (1);
	}
	return (0);
}
