/*
 * What this node's gateway has to do with the other nodes of its cluster: whom it
 * lists, whom it tells of deaths elsewhere, and whether it is alone.
 */
#ifndef GATEWAYD_CLUSTER_H
#define GATEWAYD_CLUSTER_H

#include <stddef.h>

struct placement;
struct rollcall_shard;
struct roster;
struct settings;

/* Say at the start why this node hears of no other, if so. */
void	 cluster_say_alone(const struct settings *s);
/* The shards that live to at: how many.  roster may be NULL. */
size_t	 cluster_living(struct roster *r, struct rollcall_shard *at,
	    size_t max);
void	 cluster_load(struct placement *p, size_t *connections,
	    size_t *groups);
/* That shard of another node is dead, or (NULL) all of it: ours are told. */
void	 cluster_tell_dead(struct roster *r, const char *node,
	    const struct rollcall_shard *dead);

#endif
