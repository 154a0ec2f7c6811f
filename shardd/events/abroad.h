/*
 * Streams that cross to other hosts, and those that come from there; in the process that
 * holds the network.
 *
 * A voyage is a stream of ours on its way to hosts that have receivers: a relay has it beside
 * its lanes.  A landing is a stream of another host: a relay that begins here.  What
 * comes in another order than it was said waits for its turn a while; if something is
 * missing, or the host is not reached any more, its receivers hear so, and the end.
 */
#ifndef EVENTS_ABROAD_H
#define EVENTS_ABROAD_H

#include "shardd/events/network.h"

struct abroad;
struct events_server;
struct relay;
struct targets;
struct voyage;

struct abroad_ops {
	/* Does too much wait for that link? */
	int	(*high)(void *arg, uint64_t link);
};

/* NULL without memory.  Without a network nothing crosses. */
struct abroad *abroad_new(struct events_server *v, const struct abroad_ops *ops,
	    void *arg);
void	 abroad_free(struct abroad *a);
/* Another network, or none (NULL): all streams that cross end. */
void	 abroad_set(struct abroad *a, struct network *w);
/* r, a stream to t, which begins with f.  NULL: nobody elsewhere, or no memory. */
struct voyage *abroad_open(struct abroad *a, struct relay *r,
	    const struct targets *t, const struct fasttcp_frame *f);
void	 abroad_chunk(struct voyage *y, const struct fasttcp_frame *f);
/* All was said.  Frees y. */
void	 abroad_end(struct voyage *y);
/* PARCEL_OPEN to PARCEL_PRESS, of the host of that number. */
void	 abroad_told(struct abroad *a, unsigned host, const struct parcel *p);
/* That host is not reached any more. */
void	 abroad_gone(struct abroad *a, unsigned host);
/* There is room for those who wait for a link, perhaps.  Whoever says something to a link
 * for which too much waits finds that out then. */
void	 abroad_eased(struct abroad *a);
/* Once in a while. */
void	 abroad_look(struct abroad *a, uint64_t now);

#endif
