/* Another server that asks at the admin listener. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/colleague.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"
#include "proto/vouch.h"

/* Refuse it, and say so, but not each time. */
static enum colleague_who
colleague_refuse(struct colleagues *all, const struct http_head *h,
    const char *peer, int status, const char *why, struct buf *out)
{
	uint64_t	 unsaid;

	if (complaint_due(&all->complaint, clock_ms(), &unsaid))
		log_warn("admin peer=%s status=%d: another server is refused, "
		    "for %s; others since the last such line: %" PRIu64, peer,
		    status, why, unsaid);
	http_reply_error(out, status, why, 0, slice_is(h->method, "HEAD"));
	return (COLLEAGUE_REFUSED);
}

/* Give it a seed to prove by. */
static enum colleague_who
colleague_challenge(char seed[PROOF_SEED + 1], const struct http_head *h,
    struct buf *out)
{
	static const char	 body[] = "Unauthorized: it is for servers that "
				    "have our key\n";
	struct http_reply	 r = {
		.status = 401, .type = "text/plain", .minor = h->minor,
		.body = slice_of(body, sizeof(body) - 1),
		.head_only = slice_is(h->method, "HEAD"),
	};
	struct buf		 extra = { 0 };

	/* A body that comes with it is not read. */
	r.close = !h->keep_alive || h->chunked || h->length > 0;
	if (proof_seed(seed) == -1) {
		http_reply_error(out, 500, NULL, 0, r.head_only);
		return (COLLEAGUE_REFUSED);
	}
	vouch_ask(&extra, seed);
	r.extra = slice_of(extra.data, extra.len);
	http_reply_write(out, &r);
	buf_clear(&extra);
	return (r.close ? COLLEAGUE_REFUSED : COLLEAGUE_ASKED);
}

int
colleague_is(const struct colleagues *all, const struct http_head *h)
{
	return (all->key != NULL || http_head_find(h, "Authorization") != NULL);
}

enum colleague_who
colleague_ask(struct colleagues *all, char seed[PROOF_SEED + 1],
    const struct http_head *h, const char *peer, struct buf *out)
{
	const struct http_header	*proof = http_head_find(h,
					    "Authorization");
	char				 was[PROOF_SEED + 1];

	if (all->key == NULL)
		return (colleague_refuse(all, h, peer, 403, "[ape] key_file and "
		    "cluster_key_file are not set here", out));
	if (proof == NULL || slice_caseis(proof->value, VOUCH_SCHEME))
		return (colleague_challenge(seed, h, out));
	memcpy(was, seed, sizeof(was));
	seed[0] = '\0';			/* is good for one try */
	if (!vouch_right(proof->value, slice_str(all->key), was, h->method,
	    h->target))
		return (colleague_refuse(all, h, peer, 403, "its key is not "
		    "ours", out));
	/* What follows would not be proven. */
	if (h->keep_alive)
		return (colleague_refuse(all, h, peer, 400, "it does not say "
		    "Connection: close", out));
	return (COLLEAGUE_KNOWN);
}
