/*
 * All groups of a shard, and what they share: the links, the lookup, the desk of their
 * states.  Whatever comes over a link comes here first.
 */
#ifndef SHARDD_GROUPS_H
#define SHARDD_GROUPS_H

#include <stdint.h>

#include "shardd/group/group.h"
#include "shardd/group/lookup.h"
#include "shardd/peers/bus.h"

/* With links, but no lookup yet.  node (borrowed) may be set later; whisper_ask is
 * read each time.  0, or -1 with errno ENOMEM. */
int	 groups_init(struct groups *gs, struct event_base *base,
	    const struct peer_id *self, const char *node,
	    const unsigned *whisper_ask, struct authority_desk *desk,
	    struct clients *clients, const struct groups_ops *ops, void *arg);
/* The lookup begins (lookup_new()), and, with other nodes, the bus.  0, or -1 with
 * errno. */
int	 groups_start(struct groups *gs, const struct lookup_self *self,
	    const char *url, const char *prefix);
int	 groups_start_bus(struct groups *gs, const struct bus_self *self);
/* Is all of ours in Redis, and are other nodes heard, if there are any? */
int	 groups_are_connected(const struct groups *gs);
/* The links end, with what waits there. */
void	 groups_end_links(struct groups *gs);
void	 groups_clear(struct groups *gs);
/* Every group is dismissed. */
void	 groups_dismiss(struct groups *gs);
/* The gateway says that this shard is dead. */
void	 groups_shard_dead(struct groups *gs, const struct peer_id *peer);
/* All shards of that node are. */
void	 groups_node_dead(struct groups *gs, const char *node);
/* Those of the group were lost with that shard; group empty: all have been named.  0, or
 * -1 with errno EPROTO: it is no list. */
int	 groups_obituary(struct groups *gs, const struct peer_id *peer,
	    struct slice group, struct slice uids);
void	 groups_tick(struct groups *gs);	/* ten times a second */

#endif
