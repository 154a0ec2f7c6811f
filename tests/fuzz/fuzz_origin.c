/*
 * Lines: allowed origins as a route has them, the page's origin, the host and the scheme that
 * a request says, and a proof that a gateway may forward.  Whatever they are, each is taken
 * or refused, and who is allowed by name is let in.
 */
#include <stdlib.h>
#include <string.h>

#include "gatewayd/origin.h"
#include "proto/vouch.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut the next line off the front. */
static struct slice
line(struct slice *rest)
{
	const char	*end = rest->len == 0 ? NULL :
			    memchr(rest->data, '\n', rest->len);
	struct slice	 s = *rest;

	if (end == NULL) {
		*rest = slice_of(NULL, 0);
		return (s);
	}
	s.len = (size_t)(end - s.data);
	*rest = slice_of(end + 1, rest->len - s.len - 1);
	return (s);
}

/* Somebody's Authorization is never right, and nobody's seed is longer than one. */
static void
vouched(struct slice value)
{
	char	 seed[PROOF_SEED + 1];

	if (vouch_seed(seed, value) == 0 && strlen(seed) != PROOF_SEED)
		abort();
	if (vouch_right(value, slice_str("key"),
	    "0123456789abcdefghijklmnopqrstuv", slice_str("GET"),
	    slice_str("/")))
		abort();
}

/* Whoever is allowed by name is let in. */
static void
named(struct slice origin)
{
	const struct origin_here here = { 0 };
	struct origins		 os = { 0 };
	const char		*why;

	if (origins_add(&os, origin, &why) == 0 && os.list[0].scheme.len > 0 &&
	    !os.list[0].below && !origins_have(&os, origin, &here))
		abort();
	origins_clear(&os);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice		 rest = slice_of(data, size), origin;
	struct origin_here	 here;
	struct origins		 os = { 0 };
	const char		*why;

	origin = line(&rest);
	here.host = line(&rest);
	here.scheme = line(&rest);
	vouched(line(&rest));
	while (rest.len > 0 && os.n < ORIGINS_MAX) {
		why = NULL;
		if (origins_add(&os, line(&rest), &why) == -1 && why == NULL)
			abort();
	}
	(void)origins_have(&os, origin, &here);
	(void)origins_have(&os, origin, &(struct origin_here){ 0 });
	origins_clear(&os);
	named(origin);
	return (0);
}
