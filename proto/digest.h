/*
 * Names made of digests: of a client that is known by a credential (a token, a
 * password), for names are shown to others, in lists, in Redis, in logs; and of a
 * group, where its own name could not stand.
 */
#ifndef PROTO_DIGEST_H
#define PROTO_DIGEST_H

#include "common/bytes.h"

#define DIGEST_PREFIX	"sha256-"	/* begins no other name */
#define DIGEST_LEN	(sizeof(DIGEST_PREFIX) - 1 + 64)

#define DIGEST_GROUP	16	/* hex digits */

/* DIGEST_PREFIX and the SHA-256 in hex.  0, or -1 without memory. */
int	 digest_name(char dst[DIGEST_LEN + 1], struct slice credential);
/* The first DIGEST_GROUP hex digits of the SHA-256: {group_id} of the configuration.
 * 0, or -1 without memory. */
int	 digest_group(char dst[DIGEST_GROUP + 1], struct slice group);
/* Does the name say that it is one? */
int	 digest_is_one(struct slice name);
/* Is a header field of this name a credential?  Its name has a word for one in it,
 * as those of proxies have (X-Forwarded-Access-Token, Cf-Access-Jwt-Assertion). */
int	 digest_is_secret(struct slice field);

#endif
