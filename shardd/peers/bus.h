/*
 * The bus carries links to the shards of other nodes, over channels of Redis.  Each shard
 * has a channel of its own, for what it hears alone, and each group has one for each
 * node, a room, for what all hear there who are in it; both come over one connection, in
 * one order.
 *
 * Redis may lose: a connection with all that was on its way, or, for all that is known,
 * a single message.  Whoever misses something meets its peer afresh (link_down(), then
 * link_up()), and both say what they had sent.  What is in flight to a shard is bounded
 * (encounter.h), however slowly that reads.
 */
#ifndef SHARDD_BUS_H
#define SHARDD_BUS_H

#include <stdint.h>

#include "common/bytes.h"
#include "shardd/peers/link.h"

struct bus;
struct bus_room;
struct event_base;
struct redis;

struct bus_ops {
	/* Redis is there, or is not; after 1, what is heard lacks what came before. */
	void	(*up)(void *arg, int up);
	/* What is said in room is heard here from now on, or again. */
	void	(*entered)(void *arg, void *room);
	/* Somebody behind l, which is up, says that to all in room. */
	void	(*said)(void *arg, void *room, struct link *l,
		    const struct gossip *m);
	/* What l's peer was sent has not been acknowledged for a second: say what it
	 * should have, for it may not know. */
	void	(*quiet)(void *arg, struct link *l);
	/* bus_echoed() has changed. */
	void	(*echoed)(void *arg);
};

/* Who this shard is on the bus; the strings are borrowed. */
struct bus_self {
	const char	*url;		/* of Redis */
	const char	*prefix;	/* the cluster's name */
	const char	*node, *address;
	struct slice	 key;		/* of the cluster; may be empty */
};

/* Dials for ls from now on, for peers of other nodes.  NULL with errno. */
struct bus *bus_new(struct links *ls, const struct bus_self *self,
	    const struct bus_ops *ops, void *arg);
/* Before links_free(): its carriers stay with their links until then. */
void	 bus_end(struct bus *b);
void	 bus_free(struct bus *b);	/* after links_free() */
/* Is Redis there? */
/* Ten times a second, at any time but in a callback of the bus. */
void	 bus_tick(struct bus *b);
int	 bus_up(const struct bus *b);
/* Is it not, though it was or had time to be? */
int	 bus_away(const struct bus *b);
/* All that anybody has published before now is to be heard: say something to ourselves,
 * for Redis keeps the order.  Does nothing while that is not there. */
void	 bus_echo(struct bus *b);
/* All that was published before that time, clock_ns, has been heard, or was lost with a
 * connection; 0: nothing is known. */
uint64_t bus_echoed(const struct bus *b);
/* Its connection, for commands that are to be in order with what it says. */
struct redis *bus_redis(struct bus *b);
/* The peer of that address; node NULL: of our own node.  0, or -1 with errno EINVAL,
 * ENOMEM. */
int	 bus_peer(struct bus *b, struct slice address, struct peer_id *peer);
/* The name as peers have it; NULL: our own, or (errno ENOMEM) no memory. */
const char *bus_node(struct bus *b, struct slice node);

/* Be in the room of that group and application.  NULL with errno. */
struct bus_room *bus_enter(struct bus *b, struct slice group,
	    struct slice app, void *room);
void	 bus_leave(struct bus *b, struct bus_room *room);
/*
 * Say m to all in room, on all nodes that were named by bus_room_node() since the last
 * time; version: the lowest that they speak.  0, or -1 with errno: nothing was said.
 */
void	 bus_room_node(struct bus_room *room, const struct link *l);
int	 bus_say(struct bus *b, struct bus_room *room, const struct gossip *m,
	    unsigned version);
/* What was just said in a room counts towards the window of l, which is up. */
void	 bus_said_to(struct bus *b, struct link *l);
/* clock_ms of the last that the peer of l has said to us alone; 0: nothing. */
uint64_t bus_last(const struct link *l);
/* Is the peer of l there?  Ask it: what bus_answered() is to be given, or 0, there is no
 * meeting with it at the moment. */
uint64_t bus_ask(const struct link *l);
/* Has that been answered? */
int	 bus_answered(const struct link *l, uint64_t asked);
/* The peer of l, another node's, is taken for dead: if it lives, it meets us afresh. */
void	 bus_part(const struct link *l);

#endif
