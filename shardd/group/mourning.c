/* Neighbours that were lost with their shards. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/list.h"
#include "proto/control.h"
#include "proto/uids.h"
#include "shardd/group/mourning.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
#include "shardd/peers/link.h"

#define MOURNING_MS	60000		/* without a word of Redis */

struct mourning {
	struct list	 at;		/* replica->mourned */
	struct peer_id	 peer;
	uint64_t	 neighbour;
	uint64_t	 since;		/* clock_ms: nothing was heard */
};

int
mourning_tell(struct replica *r, uint64_t neighbour, struct slice list,
    int flags)
{
	static struct kennel_uid	 uids[CTL_LOST_MAX];
	struct slice			 uid;
	size_t				 n = 0;
	int				 rv;

	while ((rv = uids_next(&list, &uid)) == 1) {
		if (n == CTL_LOST_MAX) {
			errno = EPROTO;
			return (-1);
		}
		uids[n++] = (struct kennel_uid){ uid.data, uid.len };
	}
	if (rv == 0 && !r->dismissed && r->app->onlost != NULL)
		r->app->onlost((struct kennel_replica *)r, neighbour, uids, n,
		    flags);
	return (rv);
}

void
mourning_unknown(struct replica *r, uint64_t neighbour)
{
	mourning_tell(r, neighbour, slice_of(NULL, 0), KENNEL_LOST_UNKNOWN);
}

void
mourning_begin(struct replica *r, const struct peer_id *peer,
    uint64_t neighbour)
{
	struct mourning	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL) {
		mourning_unknown(r, neighbour);
		return;
	}
	m->peer = *peer;
	m->neighbour = neighbour;
	m->since = clock_ms();
	list_push(&r->mourned, &m->at);
	mourning_tell(r, neighbour, slice_of(NULL, 0), KENNEL_LOST_MORE);
}

/* Nothing more is to come of m. */
static void
mourning_free(struct mourning *m)
{
	list_remove(&m->at);
	free(m);
}

int
mourning_check(struct slice uids)
{
	struct slice	 uid;
	size_t		 n = 0;
	int		 rv;

	while ((rv = uids_next(&uids, &uid)) == 1 && n < CTL_LOST_MAX)
		n++;
	if (rv == 1)
		errno = EPROTO;
	return (rv == 0 ? 0 : -1);
}

int
mourning_hear(struct replica *r, const struct peer_id *peer, struct slice uids)
{
	struct list	*e, *tmp;
	struct mourning	*m;
	uint64_t	 neighbour;

	list_each(e, tmp, &r->mourned) {
		m = list_entry(e, struct mourning, at);
		if (!peer_same(&m->peer, peer))
			continue;
		neighbour = m->neighbour;
		m->since = clock_ms();
		if (uids.len == 0)
			mourning_free(m);
		if (mourning_tell(r, neighbour, uids, uids.len == 0 ? 0 :
		    KENNEL_LOST_MORE) == -1)
			return (-1);
	}
	return (0);
}

void
mourning_late(struct replica *r)
{
	struct list	*e, *tmp;
	struct mourning	*m;
	uint64_t	 neighbour;

	list_each(e, tmp, &r->mourned) {
		m = list_entry(e, struct mourning, at);
		if (clock_ms() - m->since < MOURNING_MS)
			continue;
		neighbour = m->neighbour;
		mourning_free(m);
		mourning_unknown(r, neighbour);
	}
}

void
mourning_clear(struct replica *r)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &r->mourned)
		mourning_free(list_entry(e, struct mourning, at));
}
