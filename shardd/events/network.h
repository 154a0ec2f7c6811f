/*
 * A host among others: what it knows of the network (links, members of rooms elsewhere),
 * what it tells its peers of that, and the way of messages.  It has no connections
 * itself: whoever has some says what comes over them, and sends what is to go.
 *
 * Messages go to named hosts, over the cheapest path, and are never sent back to where
 * they came from; announcements go on only if they were news.
 */
#ifndef EVENTS_NETWORK_H
#define EVENTS_NETWORK_H

#include "shardd/events/discovery.h"

struct network;

#define NETWORK_PEERS	64		/* links of ours */

struct network_ops {
	/* Over the link of ours with that number.  f is borrowed.  None of these may
	 * call back at once. */
	void	(*send)(void *arg, uint64_t link, const struct fasttcp_frame *f);
	/* For clients here, from another host. */
	void	(*deliver)(void *arg, const struct letter *l);
	/* A room has another number of members. */
	void	(*room)(void *arg, struct slice room);
};

/* host: a good name (discovery_host_ok()).  NULL without memory. */
struct network *network_new(struct slice host, const struct network_ops *ops,
	    void *arg);
void	 network_free(struct network *w);
struct slice network_host(const struct network *w);

/* A link to peer is there; id: its name, which both ends have.  0, or -1: too many, a bad
 * name, our own, or no memory. */
int	 network_up(struct network *w, uint64_t link, struct slice peer,
	    struct slice id, double cost);
void	 network_down(struct network *w, uint64_t link);
/* The peer of that link says f.  What makes no sense is passed over. */
void	 network_frame(struct network *w, uint64_t link,
	    const struct fasttcp_frame *f);
/* So many of our clients are in a room. */
void	 network_members(struct network *w, struct slice room, uint64_t n);
/* A client of ours says l: to those elsewhere. */
void	 network_say(struct network *w, const struct letter *l);
/* Members of a room, at all hosts together. */
uint64_t network_total(struct network *w, struct slice room);
/* Is that host reached, and at what cost?  Negative: no. */
double	 network_far(struct network *w, struct slice host);
/* Links that are known, of whomever. */
size_t	 network_links(const struct network *w);
/* Members of a room at a host. */
uint64_t network_ref(struct network *w, struct slice host, struct slice room);

#endif
