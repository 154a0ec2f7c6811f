/*
 * The nodes of a cluster say each second that they live, and hear who else does: a
 * counter in the node's key rises, beside the list of its shards.  A node whose counter
 * has not changed for 5 s of our own clock, while Redis answered us, is dead, and so are
 * its shards, and so is a shard that its node says it has buried.  After any
 * silence of Redis nobody is judged for 5 s.  No two machines' clocks are compared.
 */
#ifndef GATEWAYD_ROLLCALL_H
#define GATEWAYD_ROLLCALL_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct redis;
struct rollcall;

struct rollcall_shard {
	uint32_t	 slot;
	uint64_t	 incarnation;
};

struct rollcall_ops {
	/* Our shards now: how many were written to at, which has room for max. */
	size_t	(*shards)(struct rollcall_shard *at, size_t max, void *arg);
	/* Open connections and groups of this node. */
	void	(*load)(size_t *connections, size_t *groups, void *arg);
	/* That shard of another node is dead; NULL: all that it had up to now are. */
	void	(*dead)(const char *node, const struct rollcall_shard *s,
		    void *arg);
	/* That node is: what it left is to be swept. */
	void	(*node_dead)(const char *node, void *arg);
	/* Our own key is not there: it is to be claimed again. */
	void	(*missing)(void *arg);
};

/* What is known of one node, for people; strings are valid until the next call. */
struct rollcall_node {
	const char	*name, *address, *version;
	uint64_t	 connections, groups, shards;
	uint64_t	 age_ms;	/* of its beat, as heard here */
	int		 dead, ours;
	int		 left;		/* it is dead, for it has left */
};

/* redis, prefix and node (our name) are borrowed.  NULL with errno. */
struct rollcall *rollcall_new(struct redis *redis, const char *prefix,
	    const char *node, const struct rollcall_ops *ops, void *arg);
/* After redis_free(), which calls back what is outstanding. */
void	 rollcall_free(struct rollcall *r);
void	 rollcall_tick(struct rollcall *r);	/* each second, while the name is ours */
/* A shard of ours is dead: the others hear that, whether they knew it or not. */
void	 rollcall_buried(struct rollcall *r, struct slice address);
void	 rollcall_leave(struct rollcall *r);	/* not listed any more */
/* Has the node of this address just died? */
int	 rollcall_is_dead(const struct rollcall *r, struct slice address);
/* Each node that is known, in no order: others as they last said, ours as of now. */
void	 rollcall_each(const struct rollcall *r,
	    void (*cb)(const struct rollcall_node *n, void *arg), void *arg);

#endif
