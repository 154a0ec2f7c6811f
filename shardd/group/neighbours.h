/*
 * The other replicas of a group: who they are, over which links they are reached, and
 * how far what was said between them and ours has come.
 *
 * What is said to all of them is in fan.h, what they say in hear.h.
 */
#ifndef SHARDD_NEIGHBOURS_H
#define SHARDD_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/turn.h"
#include "proto/gossip.h"
#include "shardd/group/acted.h"
#include "shardd/peers/link.h"

struct bus;
struct bus_room;
struct lookup;
struct neighbours;
struct payload;

/* What the neighbours of all groups of a shard share. */
struct neighbourhood {
	struct event_base *base;
	struct links	*links;
	const char	*node;		/* our own */
	struct lookup	*lookup;	/* NULL until there is one */
	const unsigned	*whisper_ask;	/* so many are asked without a lookup */
	struct bus	*bus;		/* to other nodes; NULL: there are none */
	struct list	 behind;	/* struct replica: abreast.c */
};

struct neighbours_ops {
	/* One more neighbour, and one less. */
	void	(*met)(void *arg, uint64_t neighbour);
	void	(*parted)(void *arg, uint64_t neighbour);
	/* One less: its shard is dead, and its gateway has not said whom it had. */
	void	(*mourned)(void *arg, uint64_t neighbour,
		    const struct peer_id *peer);
	/* What the two said to each other was lost, or may have been. */
	void	(*doubted)(void *arg, uint64_t neighbour);
	/* No neighbour is being waited for any more. */
	void	(*all_met)(void *arg);
	/* The messages after m->after up to m->seq of m->from never came: they were of
	 * type `of`, like m. */
	void	(*missed)(void *arg, const struct gossip *m,
		    enum gossip_type of, const char *why);
	/* How many have joined here so far; and a whisper for those of uid who joined
	 * after that. */
	uint64_t (*joins)(void *arg);
	void	(*late)(void *arg, struct slice uid, struct payload *p,
		    uint64_t since);
	/* Our replica has said m to all, with p; or told them (p is NULL). */
	void	(*said)(void *arg, const struct gossip *m, struct payload *p);
};

enum neighbour_state { NEIGHBOUR_MEETING, NEIGHBOUR_MET, NEIGHBOUR_SILENT };

struct neighbour {
	uint64_t	 id;
	struct peer_id	 peer;		/* its shard */
	uint64_t	 out, in;	/* how many were sent, and came */
	uint64_t	 told;		/* the last number of ours that was sent */
	uint64_t	 marked;	/* was told, as of the last neighbours_link_tail() */
	uint64_t	 seen;		/* the last number of its own that came */
	uint64_t	 known;		/* up to which it has said that all has */
	uint64_t	 owed;		/* it is to hear that we acted up to there */
	struct acted	 acted;		/* it, on what ours said */
	uint64_t	 missed;	/* losses of what it said */
	struct link	*link;		/* NULL: to be found */
	enum neighbour_state state;
	int		 based;		/* of another node: what it says in the room
					   counts from seen on */
};

struct neighbours {
	struct neighbourhood *hood;
	uint64_t	 id;		/* of our replica */
	const struct neighbours_ops *ops;
	void		*arg;
	struct neighbour *at;		/* dense, in order of introduction */
	size_t		 n, cap;
	uint64_t	 said;		/* the last number of ours */
	uint64_t	 said_in_room;	/* the last of those that were said there; or,
					   if mourned, to all in whatever way */
	int		 mourned;	/* one of another node was taken for dead, and
					   may listen there */
	struct bus_room	*room;		/* of the group; NULL: none */
	struct turn_work confirm;	/* to whom something is owed */
	uint64_t	 first;		/* clock_ms of the first introduction */
	int		 ready;		/* who comes now is not waited for */
	struct list	 whispers;	/* fan.c: being looked up */
	uint64_t	 looked;	/* fan.c: how many were */
	struct list	 fences;	/* fan.c: neighbours' that wait for them */
	struct list	 asks;		/* struct ask: our questions */
};

/* The neighbours, none yet, of our replica id.  NULL with errno ENOMEM. */
struct neighbours *neighbours_new(struct neighbourhood *hood, uint64_t id,
	    const struct neighbours_ops *ops, void *arg);
/* Outstanding calls end: done(ECANCELED). */
void	 neighbours_free(struct neighbours *n);
/* How many there are; the id of number i, in no order; is this one of them?  NULL: it is
 * not. */
size_t	 neighbours_count(const struct neighbours *n);
uint64_t neighbours_id(const struct neighbours *n, size_t i);
int	 neighbours_has(const struct neighbours *n, uint64_t neighbour);
struct neighbour *neighbours_find(const struct neighbours *n, uint64_t id);
/* The link to nb's shard; NULL when that is dead. */
struct link *neighbour_link(const struct neighbours *n, struct neighbour *nb);
/* Is somebody being waited for? */
int	 neighbours_are_met(const struct neighbours *n);
/* The replica has opened: neighbours that come now have more time. */
void	 neighbours_set_ready(struct neighbours *n);
/* A message that is answered by another one, if at all.  0, or -1 with errno:
 * ENOENT (no such neighbour, or its shard is dead), ENOMEM, EPIPE. */
int	 neighbours_tell(struct neighbours *n, uint64_t neighbour,
	    struct gossip *m);

/*
 * The gateway's introduction (repeated ones are harmless): MEET goes over the
 * link to that shard; all are met when all have answered, or 1 s after the first
 * introduction; a silent one is logged.
 */
void	 neighbours_introduce(struct neighbours *n, uint64_t neighbour,
	    const struct peer_id *peer, const char *link_path);
/* A replica of another node is there, behind l; nobody is told.  NULL with errno
 * ENOMEM. */
struct neighbour *neighbours_join(struct neighbours *n, uint64_t id,
	    struct link *l);
void	 neighbours_farewell(struct neighbours *n, uint64_t neighbour);
/* That shard is dead: its replicas have ended.  A gateway that was not there when
 * it died has no farewell for them. */
void	 neighbours_shard_dead(struct neighbours *n,
	    const struct peer_id *peer);
/* Is it of another node? */
static inline int
neighbour_is_remote(const struct neighbour *nb)
{
	return (nb->peer.node != NULL);
}
/* m->from speaks to us over l: a replica that does exists there, and knows us.  NULL:
 * that replica has ended, or there is no memory. */
struct neighbour *neighbours_heard(struct neighbours *n, struct link *l,
	    const struct gossip *m);

/* ---- numbers ---- */

/* Is m the next one of nb?  0: it was here already.  At a gap, ops.missed. */
int	 neighbours_next(struct neighbours *n, struct neighbour *nb,
	    const struct gossip *m);
/* All of nb up to the number said, its message seq to us, should be here. */
void	 neighbours_gap(struct neighbours *n, struct neighbour *nb,
	    uint64_t said, uint64_t seq);
/* The same, as nb itself says. */
void	 neighbours_marked(struct neighbours *n, struct neighbour *nb,
	    uint64_t said, uint64_t seq);
/* What is up to that number, its message seq to us, is known not to come. */
void	 neighbours_skip(struct neighbour *nb, uint64_t said, uint64_t seq);
/*
 * nb, behind l, was taken for dead, lives, and has met us again: what we said meanwhile was
 * not said to it.  It counts from what it heard last, and is told how much that is.
 */
void	 neighbours_back(struct neighbours *n, struct neighbour *nb,
	    struct link *l);
/* It has said no more than up to the first number, and to us than up to the other one.
 * 0, or -1: not all of that has come. */
int	 neighbours_know(struct neighbour *nb, uint64_t said, uint64_t told);

/* nb is to hear, at the end of the turn, that we have acted up to that number. */
void	 neighbours_owe(struct neighbours *n, struct neighbour *nb,
	    uint64_t said);

/* ---- their links ---- */

/* l ended; the neighbours there stay until the gateway's farewell. */
void	 neighbours_link_lost(struct neighbours *n, const struct link *l);
/* Behind what waits for l: how much was sent to the neighbours there, so that they
 * know what was lost. */
void	 neighbours_link_mark(struct neighbours *n, struct link *l);
/* The same to those who were told something since they were told that. */
void	 neighbours_link_tail(struct neighbours *n, struct link *l);
/* l is up again, after something was lost. */
void	 neighbours_link_back(struct neighbours *n, const struct link *l);

#endif
