/*
 * The census: what this node knows of all nodes of its cluster, for Prometheus.  Not there
 * where the node is alone.  What a node does itself, the bus as well, is in its own metrics.
 */
#ifndef GATEWAYD_CENSUS_H
#define GATEWAYD_CENSUS_H

struct buf;
struct status;

#define CENSUS_NODES	64	/* with a line of their own: a label's values are to be few */

/* How many live, with this one, and how many are dead and not forgotten yet. */
void	 census_nodes(struct buf *out, const char *name,
	    const struct status *st);
/* The age of each other node's beat, of CENSUS_NODES at most, and nothing of dead ones. */
void	 census_beats(struct buf *out, const char *name,
	    const struct status *st);

#endif
