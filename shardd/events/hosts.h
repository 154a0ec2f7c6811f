/* A set of hosts of a network, by the numbers that a graph has for them. */
#ifndef EVENTS_HOSTS_H
#define EVENTS_HOSTS_H

#include <stdint.h>

#include "shardd/events/graph.h"

struct hosts {
	uint64_t	 bits[GRAPH_HOSTS / 64];
};

static inline int
hosts_have(const struct hosts *h, unsigned host)
{
	return (h->bits[host / 64] >> host % 64 & 1);
}

static inline void
hosts_add(struct hosts *h, unsigned host)
{
	h->bits[host / 64] |= UINT64_C(1) << host % 64;
}

/* That one alone. */
static inline struct hosts
hosts_one(unsigned host)
{
	struct hosts	 h = { { 0 } };

	hosts_add(&h, host);
	return (h);
}

static inline void
hosts_remove(struct hosts *h, unsigned host)
{
	h->bits[host / 64] &= ~(UINT64_C(1) << host % 64);
}

static inline int
hosts_empty(const struct hosts *h)
{
	for (unsigned i = 0; i < GRAPH_HOSTS / 64; i++)
		if (h->bits[i] != 0)
			return (0);
	return (1);
}

#endif
