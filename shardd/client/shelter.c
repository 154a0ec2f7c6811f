/* An open connection is covered. */
#include <errno.h>

#include "common/written.h"
#include "proto/capsule.h"
#include "proto/cover.h"
#include "shardd/client/conn.h"
#include "shardd/client/policy.h"
#include "shardd/client/shelter.h"
#include "shardd/client/who.h"

/* What c's protocol goes by when it is amid nothing; only streams have that.  Valid
 * until the next call; 0, or -1: no memory. */
static int
shelter_pack(struct conn *c, struct slice *state)
{
	static struct buf	 bytes, early;

	*state = slice_of(NULL, 0);
	if (c->protocol->capsule != CAPSULE_STREAM)
		return (0);
	buf_reset(&bytes);
	buf_reset(&early);
	if (c->protocol->freeze(c, &bytes, &early) == -1)
		return (-1);
	*state = slice_of(bytes.data, bytes.len);
	return (0);
}

void
shelter_begin(struct conn *c, uint32_t place, struct slice topics)
{
	struct capsule	 cap = { .id = c->id, .flags = c->told,
			    .deflate = c->deflate, .hops = c->hops,
			    .strikes = c->strikes, .topics = topics };
	unsigned	 bits = c->half;
	uint32_t	 written = 0;

	/* One that a shard has opened itself ends with it. */
	if (c->slot != 0 || c->protocol->freeze == NULL ||
	    (c->told & CAPSULE_F_DIALED) || (c->flags & CONN_F_GONE))
		return;
	cap.protocol = (enum capsule_protocol)c->protocol->capsule;
	who_pack(c, &cap);
	meter_pack(c->meter, &cap);
	if (written_total(c->fd, &written) == -1)
		bits |= COVER_B_BLIND;
	if (shelter_pack(c, &cap.state) == 0)
		c->slot = cover_add(&cap, c->rare != NULL && c->rare->uid !=
		    NULL ? NULL : c->text, place, bits, written);
}

void
shelter_topics(struct conn *c, struct slice topics)
{
	int	 keep = errno;

	if (cover_topics(c->slot, topics) == -1)
		conn_uncover(c);
	errno = keep;			/* nobody asked for this */
}

void
shelter_state(struct conn *c)
{
	struct slice	 state;
	int		 keep = errno;

	if (c->slot != 0 && (shelter_pack(c, &state) == -1 ||
	    cover_state(c->slot, state) == -1))
		conn_uncover(c);
	errno = keep;			/* nobody asked for this */
}
