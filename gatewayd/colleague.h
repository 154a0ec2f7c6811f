/*
 * A colleague is another server that asks at the admin listener for what clients of ours
 * would be given: it proves that it has the key of all (proto/vouch.h).
 */
#ifndef GATEWAYD_COLLEAGUE_H
#define GATEWAYD_COLLEAGUE_H

#include "common/bytes.h"
#include "gatewayd/complaint.h"
#include "proto/proof.h"

#define COLLEAGUE_MARK	"server:"	/* before the address of one, where a
					   client's peer stands */

struct http_head;

/* All that come, and what they are to know. */
struct colleagues {
	const char	*key;		/* NULL: none may come */
	struct complaint complaint;
};

/* Does it ask as one?  Without a key others hear of nothing. */
int	 colleague_is(const struct colleagues *all, const struct http_head *h);

enum colleague_who { COLLEAGUE_ASKED, COLLEAGUE_REFUSED, COLLEAGUE_KNOWN };

/*
 * Who is it that asks h, on a connection that was given seed ("": none yet)?  What is
 * to be answered is in out, but to who is known; after COLLEAGUE_ASKED another request
 * may follow, whose seed is now in seed.  What was wrong is logged, with peer.
 */
enum colleague_who colleague_ask(struct colleagues *all, char seed[PROOF_SEED + 1],
	    const struct http_head *h, const char *peer, struct buf *out);

#endif
