/* The inside of a holder (holder.h): for what it does, and for what it is told. */
#ifndef EVENTS_HOLDER_IN_H
#define EVENTS_HOLDER_IN_H

#include "common/list.h"
#include "proto/fasttcp.h"
#include "shardd/events/ports.h"
#include "shardd/events/tallies.h"
#include "shardd/events/word.h"

struct abroad;
struct events_server;
struct kennel_timer;
struct network;
struct network_ops;
struct notices;
struct uplink;

struct holder {
	struct events_server *server;
	uint64_t	 who;		/* the holder's replica; 0: not known yet */
	struct network	*network;	/* NULL: we are not the holder */
	const struct network_ops *network_ops;
	struct ports	 ports;
	uint64_t	 eased;		/* clock_ms of the last holder_eased() */
	int		 filled;	/* what was said last waits for a link */
	int		 waiting;	/* neighbours have clients that wait */
	struct abroad	*abroad;
	struct tallies	 tallies;
	struct list	 dials;
	struct kennel_timer *timer;
	struct notices	*notices;	/* NULL: nobody wants any */
	char		*host;
};

/* Is there another holder? */
void	 holder_look(struct holder *h);
/* Tell another replica, or all (0).  If too much waits for it, the link whose peer is heard
 * waits. */
void	 holder_tell(struct holder *h, uint64_t replica, const struct word *w,
	    struct slice data);
/* One that has a number alone. */
void	 holder_tell_number(struct holder *h, uint64_t replica,
	    enum word_type type, uint64_t number);
/* f as bytes, in *b.  0, or -1. */
int	 holder_encode(struct buf *b, const struct fasttcp_frame *f);
/* Our cluster has another number of members in a room: others hear so. */
void	 holder_sum(struct holder *h, struct slice room);
/* All rooms of this process. */
void	 holder_rooms(struct holder *h);
/* The peer of a link says f. */
void	 holder_hear(struct holder *h, uint64_t number,
	    const struct fasttcp_frame *f);
/* A link is there, at that replica.  0, or -1: there are too many, or it makes no
 * sense. */
int	 holder_port(struct holder *h, uint64_t number, uint64_t replica,
	    struct slice peer, struct slice id, double cost);
/* The link of that number is over its mark, or no more; or is no more itself. */
void	 holder_high(struct holder *h, uint64_t number, int high);
void	 holder_down(struct holder *h, uint64_t number);

#endif
