/* How many bytes files may take. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/map.h"
#include "shardd/ape/bounds.h"
#include "shardd/ape/quota.h"
#include "shardd/kennel-ape.h"

struct quota {
	struct map_node	 by_session;
	uint64_t	 bytes;
	char		 session[APE_ID + 1];
};

static struct map	 quotas;
static uint64_t		 quota_all;

/* That of a session, made if need be.  NULL: no memory. */
static struct quota *
quota_of(const char *session, int make)
{
	struct map_node	*n = map_find(&quotas, session, strlen(session));
	struct quota	*q;

	if (n != NULL)
		return (container_of(n, struct quota, by_session));
	if (!make || (q = calloc(1, sizeof(*q))) == NULL)
		return (NULL);
	strncpy(q->session, session, APE_ID);
	if (map_insert(&quotas, &q->by_session, q->session,
	    strlen(q->session)) == 0)
		return (q);
	free(q);
	return (NULL);
}

/* Forget one that has nothing. */
static void
quota_drop(struct quota *q)
{
	if (q->bytes > 0)
		return;
	map_remove(&quotas, &q->by_session);
	free(q);
}

int
quota_take(const char *session, uint64_t bytes)
{
	struct quota	*q = quota_of(session, 1);

	if (q == NULL)
		return (-1);
	if (bytes > bounds_get(BOUND_SESSION) ||
	    q->bytes > bounds_get(BOUND_SESSION) - bytes ||
	    bytes > bounds_get(BOUND_FILES) ||
	    quota_all > bounds_get(BOUND_FILES) - bytes) {
		quota_drop(q);
		return (-1);
	}
	q->bytes += bytes;
	quota_all += bytes;
	return (0);
}

void
quota_give(const char *session, uint64_t bytes)
{
	struct quota	*q = quota_of(session, 0);

	if (q == NULL)
		return;
	q->bytes -= bytes;
	quota_all -= bytes;
	quota_drop(q);
}
