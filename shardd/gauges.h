/* How a shard stands, in the cells of its page: what is not added up. */
#ifndef SHARDD_GAUGES_H
#define SHARDD_GAUGES_H

#include <stddef.h>

struct kennel_app;

struct gauges {
	size_t		 links;		/* that are up */
	size_t		 link_queued;	/* bytes */
	size_t		 unfinished;	/* bytes of clients' input */
	int		 redis_up;
	int		 listed;	/* all clients are in Redis, or there is none */
};

/* The names of the n applications, once. */
void	 gauges_name(const struct kennel_app *apps, size_t n);
void	 gauges_set(const struct gauges *now);

#endif
