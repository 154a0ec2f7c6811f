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

#include "shardd/events/hosts.h"
#include "shardd/events/parcel.h"

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
	/* A parcel for us that is no letter, from another kennel; never twice. */
	void	(*parcel)(void *arg, const struct parcel *p);
	/* The host of that number is not reached any more; another one may have the
	 * number. */
	void	(*gone)(void *arg, unsigned host);
	/* The peer at that link says that it is a kennel. */
	void	(*kennel)(void *arg, uint64_t link);
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

/* ---- parcels, which go over kennels alone ---- */

/* The hosts that l is for, but ours, that are reached. */
void	 network_meant(struct network *w, const struct letter *l,
	    struct hosts *to);
/* Of these ids those of one host, in *ids: 0, or -1 without memory. */
int	 network_ids(struct network *w, unsigned host, struct slice names,
	    struct buf *ids);
/* Send p, whose origin, epoch, sequence and hops are filled in, to these hosts.  Those to
 * which it does not go are left in `to`. */
void	 network_parcel(struct network *w, struct parcel *p, struct hosts *to);
/* The host that an id is of, or 0: ours, or none that is known. */
unsigned network_host_of(struct network *w, struct slice id);
/* The number of a host: 0, our own; or -1. */
int	 network_find(struct network *w, struct slice host);
/* The link of ours over which a host is reached, or 0. */
uint64_t network_first(struct network *w, unsigned host);

#endif
