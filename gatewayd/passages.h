/*
 * What shards say of connections on their way, for those who wait for it: handoffs,
 * rescues, the arrivals to which some come home.  The last argument of each is the
 * gateway.
 */
#ifndef GATEWAYD_PASSAGES_H
#define GATEWAYD_PASSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct capsule;
struct shard;

/* roster.h's. */
void	 passages_ready(struct shard *s, void *gateway);
void	 passages_dead(struct shard *s, void *gateway);
size_t	 passages_dying(struct shard *s, void *gateway);
void	 passages_adopted(struct shard *s, uint64_t id, void *gateway);
void	 passages_refused(struct shard *s, uint64_t id, struct slice why,
	    int leaving, void *gateway);
void	 passages_home(struct shard *s, const struct capsule *c, int fd,
	    void *gateway);
/* door.h's: a packet of a shard is over; its channel goes on. */
void	 passages_packet(struct shard *s, void *gateway);
void	 passages_sent(struct shard *s, void *gateway);

#endif
