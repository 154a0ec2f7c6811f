/*
 * Hosts, and the links between them as these have announced them: directed, each with a
 * cost, more than one between two hosts perhaps.  From host 0, which is ours, the
 * cheapest path to each: a link costs its cost and 1.  Bounded, in memory and in work.
 */
#ifndef EVENTS_GRAPH_H
#define EVENTS_GRAPH_H

#include "common/bytes.h"

#define GRAPH_HOSTS	256
#define GRAPH_LINKS	4096

struct graph_link {
	unsigned	 source, destination;	/* hosts */
	double		 cost;
	uint64_t	 number;	/* of ours, for whoever has it; else 0 */
	char		*id;
	size_t		 id_len;
};

struct graph_host {
	char		*name;		/* NULL: none has this number */
	size_t		 len;
	double		 far;		/* the cost to get there, or negative */
	const struct graph_link *first;	/* and the link of ours that leads there */
};

struct graph {
	struct graph_host hosts[GRAPH_HOSTS];
	struct graph_link *links;
	size_t		 n, cap;
	int		 stale;		/* paths are to be found anew */
};

/* Ours.  0, or -1 without memory. */
int	 graph_init(struct graph *g, struct slice host);
void	 graph_clear(struct graph *g);
/* The number of that host, which is new perhaps (make); -1: there is none, or too many,
 * or no memory. */
int	 graph_host(struct graph *g, struct slice name, int make);
static inline struct slice
graph_name(const struct graph *g, unsigned host)
{
	return (slice_of(g->hosts[host].name, g->hosts[host].len));
}

/* 1; 0, it is there already, with this cost; -1 with errno: ENOSPC, ENOMEM. */
int	 graph_link(struct graph *g, struct slice source,
	    struct slice destination, struct slice id, double cost,
	    uint64_t number);
/* 1; 0, there was none. */
int	 graph_unlink(struct graph *g, struct slice source,
	    struct slice destination, struct slice id);
/* The link of ours over which host is reached, or NULL: it is not, or it has no link of
 * its own. */
const struct graph_link *graph_way(struct graph *g, unsigned host);
/* Forget a host, and its links. */
void	 graph_forget(struct graph *g, unsigned host);

#endif
