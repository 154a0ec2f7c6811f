/*
 * The other replicas of a group: introductions, broadcast, whisper and gossip
 * over the links, with deadlines.
 *
 * Local delivery is done by the caller first (api.c); here is the rest of the
 * group only.
 */
#ifndef SHARDD_NEIGHBOURS_H
#define SHARDD_NEIGHBOURS_H

#include <stdint.h>

#include "common/bytes.h"
#include "shardd/peers/backlog.h"
#include "proto/gossip.h"

struct kennel_answer;
struct kennel_slot;
struct link;
struct neighbours;
struct payload;
struct replica;
struct worker;

struct neighbours *neighbours_new(struct replica *r);
/* Outstanding calls end: done(ECANCELED), gossip slots "gone". */
void	 neighbours_free(struct neighbours *n);
size_t	 neighbours_count(const struct neighbours *n);
uint64_t neighbours_id(const struct neighbours *n, size_t i);
int	 neighbours_has(const struct neighbours *n, uint64_t neighbour);
/* authority.c: the state is here.  The replica is ready (replica_set_ready) when
 * nobody is being waited for any more. */
void	 neighbours_ready(struct neighbours *n);
/* A message that is answered by another one, if at all (authority.c).  0, or -1
 * with errno: ENOENT (no such neighbour, or its shard is dead), ENOMEM, EPIPE. */
int	 neighbours_tell(struct neighbours *n, uint64_t neighbour,
	    struct gossip *m);
/*
 * The gateway's introduction (repeated ones are harmless): MEET goes over the
 * link to that shard; r is ready (replica_set_ready) when all have answered, or
 * 1 s after its first introduction; a silent one is logged.
 */
void	 neighbours_introduce(struct neighbours *n, uint64_t neighbour,
	    uint32_t slot, uint64_t incarnation, const char *link_path);
void	 neighbours_farewell(struct neighbours *n, uint64_t neighbour);

/* err: 0, ETIMEDOUT (10 s), ECANCELED. */
typedef void	neighbours_done_cb(int err, void *arg);
typedef void	neighbours_gossip_cb(const struct kennel_slot *slots, size_t n,
		    void *arg);

/*
 * To all neighbours: p for all their members but uid `but` (data NULL: all).
 * done may be NULL; it is never called from within.  0, or -1 with errno ENOMEM.
 * Returns 1 if what waits of this group for a shard that it fed is over its mark
 * (8 MiB): the caller pauses the socket until replica_eased() or 2 s have passed.
 */
int	 neighbours_cast(struct neighbours *n, struct payload *p,
	    struct slice but, neighbours_done_cb *done, void *arg);
/* The same, to the subscribers of topics (topics_pack()) among them. */
int	 neighbours_publish(struct neighbours *n, struct slice topics,
	    struct payload *p, struct slice but, neighbours_done_cb *done,
	    void *arg);
/*
 * To the sockets of uid on neighbours.  With at most whisper_ask (option, 8)
 * neighbours, or without Redis, all are asked; else the shard is looked up in Redis.
 * *waiting is set when a lookup is outstanding: then what the same sender does
 * next must wait until settled() is called (100 ms at most, then all are asked; over:
 * as neighbours_cast() returns 1).  done as above.  settled is never called from
 * within.
 */
typedef void	neighbours_settled_cb(int over, void *arg);
int	 neighbours_whisper(struct neighbours *n, struct slice uid,
	    struct payload *p, int *waiting, neighbours_settled_cb *settled,
	    void *settled_arg, neighbours_done_cb *done, void *arg);
/* Is what waits of this group over its mark?  Who cannot be paused must come again. */
int	 neighbours_over(struct neighbours *n);
/* cb comes once, never from within.  0, or -1 with errno ENOMEM. */
int	 neighbours_gossip(struct neighbours *n, struct slice msg,
	    unsigned deadline_ms, neighbours_gossip_cb *cb, void *arg);
/* kennel_answer() and kennel_answer_error() end here. */
void	 neighbours_answer(struct kennel_answer *a, struct slice data,
	    int is_error);

/* The gateway says so: its replicas have ended.  A gateway that was not there when
 * it died has no farewell for them. */
void	 neighbours_shard_dead(struct worker *w, uint32_t slot,
	    uint64_t incarnation);

/* link.c: a message came, or the link to a shard ended (asks outstanding there
 * fail; the neighbours there stay until the gateway's farewell). */
int	 neighbours_message(struct link *l, const struct gossip *m);
/* m is for a replica that is not here: answer, so that nobody waits. */
void	 neighbours_absent(struct link *l, const struct gossip *m);
void	 neighbours_link_lost(struct link *l);
/* Behind what waits for it: how much was sent, so that they know what was lost. */
void	 neighbours_link_mark(struct link *l);
/* It is up again, after something was lost: who decides asks who is there. */
void	 neighbours_link_back(struct link *l);
/* What waited of that replica's group is down to half of its mark. */
void	 neighbours_link_eased(struct link *l, uint64_t replica);
/* m does not fit into what waits for l: what stands in its place (backlog.h). */
enum backlog_fate neighbours_drop(struct link *l, struct gossip *m, int many);

#endif
