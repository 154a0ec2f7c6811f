/*
 * How one server proves to another, in HTTP, that both have the same key, and never says
 * it (proof.h): who asks with an empty proof, or without, gets 401 with a seed, and asks again on the same
 * connection.  The proof is good for that seed, method and target alone.
 *
 *	WWW-Authenticate: Kennel seed="..."
 *	Authorization: Kennel <proof>
 */
#ifndef PROTO_VOUCH_H
#define PROTO_VOUCH_H

#include "common/bytes.h"
#include "proto/proof.h"

#define VOUCH_SCHEME	"Kennel"

/* A header line with this seed, appended to b. */
void	 vouch_ask(struct buf *b, const char *seed);
/* The seed in the value of WWW-Authenticate.  0, or -1: there is none. */
int	 vouch_seed(char dst[PROOF_SEED + 1], struct slice value);
/* A header line that answers it, appended to b.  0, or -1. */
int	 vouch_answer(struct buf *b, struct slice key, const char *seed,
	    struct slice method, struct slice target);
/* Is the value of Authorization right for that?  seed "": none was given. */
int	 vouch_right(struct slice value, struct slice key, const char *seed,
	    struct slice method, struct slice target);

#endif
