/*
 * A link is the lasting connection to one other shard, shared by all groups that
 * the two shards have in common.  Until a carrier is up, and while the other side
 * reads too slowly, messages wait in the link's backlog, each group's for itself.
 *
 * A link knows its peer, what waits for the peer, and the carrier that brings it
 * there; what a message means is known above, to link_ops.
 */
#ifndef SHARDD_LINK_H
#define SHARDD_LINK_H

#include <stdint.h>

#include "proto/gossip.h"
#include "shardd/peers/backlog.h"

struct event_base;
struct link;
struct links;

/* One life of one shard.  What it was told ends with the incarnation. */
struct peer_id {
	const char	*node;		/* not freed; NULL: our own */
	uint32_t	 slot;
	uint64_t	 incarnation;
};

int	 peer_same(const struct peer_id *a, const struct peer_id *b);

/*
 * What brings messages to another shard: a Unix socket (wire.c), or another way that
 * keeps their order.  The carrier that embeds this one says link_up(),
 * link_message(), link_drained() and link_down().
 */
struct carrier {
	const struct carrier_ops *ops;
	size_t		 room;		/* bytes that it queues: no more yet */
};
struct carrier_ops {
	/* Queue head with payload's bytes behind it; both are copied.  0, or -1
	 * with errno ENOMEM and nothing queued. */
	int	 (*send)(struct carrier *c, struct slice head,
		    struct slice payload);
	size_t	 (*queued)(struct carrier *c);	/* bytes, not sent yet */
	void	 (*flush)(struct carrier *c);	/* what can be sent now */
	void	 (*free)(struct carrier *c);
};


/* What a link leads to above.  None of these may free the link. */
struct link_ops {
	/* A message came.  0, or -1: it is none that may come, the carrier ends. */
	int	(*message)(void *arg, struct link *l, const struct gossip *m);
	/* A carrier is up: what is sent now goes before all that waits. */
	void	(*up)(void *arg, struct link *l);
	/* And what waited goes out.  Something was lost before it was up. */
	void	(*back)(void *arg, struct link *l);
	/* The carrier ended, or none came in time: what it had is lost. */
	void	(*lost)(void *arg, struct link *l, const char *why);
	/* The link is about to be freed.  dead: its shard is, too. */
	void	(*ended)(void *arg, struct link *l, int dead);
	/* What waited of that replica's group is down to half of its mark. */
	void	(*eased)(void *arg, struct link *l, uint64_t replica);
	/* m does not fit into what waits: what stands in its place (backlog.h). */
	enum backlog_fate (*drop)(void *arg, struct link *l, struct gossip *m,
		    int many);
};

/* All links of a shard, which is self.  NULL with errno ENOMEM. */
struct links *links_new(struct event_base *base, const struct peer_id *self,
	    const struct link_ops *ops, void *arg);
void	 links_free(struct links *ls);		/* sends what can be sent at once */
/* A try to reach l's peer at path (NULL: unknown); returns a carrier, which is up
 * when it says so, or NULL: there is nothing to try, or not now. */
typedef struct carrier *links_dial_cb(void *arg, struct link *l,
	    const char *path);
enum links_way { LINKS_NODE, LINKS_BUS, LINKS_NWAYS };	/* our node; others */
void	 links_set_dial(struct links *ls, enum links_way way,
	    links_dial_cb *dial, void *arg);
const struct peer_id *links_self(const struct links *ls);
struct event_base *links_base(const struct links *ls);
/* The highest version that is spoken here (WIRE_VERSION, unless it was set). */
unsigned links_version(const struct links *ls);
void	 links_set_version(struct links *ls, unsigned version);
/* This shard leaves: that its links end is nothing to warn of. */
void	 links_leave(struct links *ls);
/* Does something still wait for a link that is up? */
int	 links_any_wait(const struct links *ls);
/* What waits for links, in bytes; *up: how many links are. */
size_t	 links_queued(const struct links *ls, size_t *up);
void	 links_each(struct links *ls, void (*cb)(struct link *, void *),
	    void *arg);

/* The link to that peer, made if need be.  NULL with errno ENOMEM. */
struct link *link_get(struct links *ls, const struct peer_id *peer,
	    const char *path);
struct link *link_find(const struct links *ls, const struct peer_id *peer);
/* The same as link_get(), for who only says that it is there: if it does not come up within
 * 10 s, and nobody here gets it meanwhile, it ends as if its shard were dead. */
struct link *link_get_stranger(struct links *ls, const struct peer_id *peer);
/* The gateway says that this shard is dead: close and forget. */
void	 link_dead(struct links *ls, const struct peer_id *peer);
/*
 * Send m, whose group is that of our replica m->from (0: none), or let it wait.
 * Flushed at the end of the turn.  0, or -1 with errno ENOBUFS (it does not fit) or
 * EPIPE (the link was given up); then link_ops.drop has said what stands in its
 * place.
 */
int	 link_send(struct link *l, const struct gossip *m);
/* Is what waits for that replica's group beyond its mark? */
int	 link_is_over(const struct link *l, uint64_t replica);
/* Would what is sent now go at once, before nothing that waits of that replica's? */
int	 link_is_clear(const struct link *l);
int	 link_is_up(const struct link *l);
/* What is spoken on it, once it was up; WIRE_OLDEST before. */
unsigned link_version(const struct link *l);
struct links *link_links(const struct link *l);
const struct peer_id *link_peer(const struct link *l);
uint32_t link_slot(const struct link *l);	/* for the log */
/* Has the other side said "ask me always"?  Ends with the carrier. */
int	 link_askme(const struct link *l);
void	 link_set_askme(struct link *l, int on);

/* ---- for carriers ---- */

struct carrier *link_carrier(const struct link *l);	/* NULL: none */
/* version: the highest that both sides speak. */
void	 link_up(struct link *l, struct carrier *c, unsigned version);
/* 0, or -1: end the carrier. */
int	 link_message(struct link *l, const struct gossip *m);
void	 link_drained(struct link *l);		/* its carrier has room */
void	 link_down(struct link *l, const char *why);	/* frees the carrier */

#endif
