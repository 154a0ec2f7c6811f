/*
 * What this node's gateway has to do with the other nodes of its cluster: whom it
 * lists, whom it tells of deaths elsewhere, and whether it is alone.  arg is the gateway.
 */
#ifndef GATEWAYD_CLUSTER_H
#define GATEWAYD_CLUSTER_H

#include <stddef.h>

#include "gatewayd/registry.h"

struct obituary;
struct rollcall_shard;
struct settings;

/* Say at the start why this node hears of no other, if so. */
void	 cluster_say_alone(const struct settings *s);
/* roster_ops: can there be other nodes?  1; 0; -1, Redis is away. */
int	 cluster_shared(void *arg);

/* registry_ops: the shards that live to at, how many; and what they have. */
size_t	 cluster_living(struct rollcall_shard *at, size_t max, void *arg);
void	 cluster_load(size_t *connections, size_t *groups, void *arg);
/* That shard of another node is dead, or (NULL) all of it: ours are told. */
void	 cluster_dead(const char *node, const struct rollcall_shard *dead,
	    void *arg);
/* Those were lost with a shard, of whatever node: ours are told. */
void	 cluster_lost(const struct obituary *o, void *arg);
/* What the quotas of groups are to know. */
void	 cluster_news(enum registry_news news, const char *node, void *arg);

#endif
