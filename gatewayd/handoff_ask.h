/* A handoff's ask is what placing a connection, and placing it again, needs. */
#ifndef GATEWAYD_HANDOFF_ASK_H
#define GATEWAYD_HANDOFF_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "gatewayd/spot.h"

struct address;
struct capsule_header;

struct handoff_ask {
	uint64_t	 id;
	struct slice	 group;		/* data NULL: none */
	struct slice	 uid, app, route, peer, via, early;
	uint32_t	 limit, limit_group;	/* limit_group 0: none */
	enum spot_rule	 place;
	uint32_t	 flags;		/* CAPSULE_F_* */
	int		 http;		/* plain */
	int		 raw;		/* not HTTP at all */
	int		 head_only;	/* HEAD, for a refusal */
	struct address	*address;	/* a reference, or NULL */
	const struct capsule_header *headers;
	size_t		 nheaders;
};

/* All that the slices and headers of an ask take, in bytes. */
size_t	 handoff_ask_size(const struct handoff_ask *ask);
/* Make dst an ask whose slices and headers are in room, which has that size and is
 * aligned as a pointer. */
void	 handoff_ask_copy(struct handoff_ask *dst,
	    const struct handoff_ask *src, void *room);

#endif
