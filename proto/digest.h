/*
 * The name of somebody who is known by a credential (a token, a password): its
 * digest, for names are shown to others, in lists, in Redis, in logs.
 */
#ifndef PROTO_DIGEST_H
#define PROTO_DIGEST_H

#include "common/bytes.h"

#define DIGEST_PREFIX	"sha256-"	/* begins no other name */
#define DIGEST_LEN	(sizeof(DIGEST_PREFIX) - 1 + 64)

/* DIGEST_PREFIX and the SHA-256 in hex.  0, or -1 without memory. */
int	 digest_name(char dst[DIGEST_LEN + 1], struct slice credential);
/* Does the name say that it is one? */
int	 digest_is_one(struct slice name);
/* Is a header field of this name a credential? */
int	 digest_is_secret(struct slice field);

#endif
