/*
 * An encounter is one meeting with a shard of another node: the carrier of its link,
 * from HELLO until something is lost.  Then the two meet afresh.
 */
#ifndef SHARDD_ENCOUNTER_H
#define SHARDD_ENCOUNTER_H

#include <stdint.h>

#include "common/list.h"
#include "proto/bus_frame.h"
#include "proto/gossip.h"

struct carrier;
struct encounter;
struct link;
struct links;
struct press;

#define ENCOUNTER_WINDOW (4 << 20)	/* bytes that a shard has not said it has */

struct encounters {			/* all of a shard */
	struct press	*press;
	struct batches	*batches;
	struct links	*links;
	struct list	 all;		/* struct encounter */
	uint64_t	 session;	/* the last that was drawn */
	uint64_t	 excused;	/* clock_ms: until then Redis said nothing, and nobody is
					   judged for what could not be heard */
	/* What went over that link is not acknowledged after a second. */
	void		(*quiet)(void *arg, struct link *l);
	void		*arg;
};

/* Begin one with l's peer, by HELLO on its channel, which is taken.  NULL: not now. */
struct carrier *encounter_new(struct encounters *es, struct link *l,
	    char *channel);
/* Of a carrier that encounter_new() has made. */
struct encounter *encounter_of(struct carrier *c);
struct link *encounter_link(const struct encounter *c);
/* f came from its peer, for us alone.  May end the encounter. */
void	 encounter_heard(struct encounter *c, const struct bus_frame *f);
/* Its peer is taken for dead, and c about to be freed: if the peer lives, it hears that
 * the two are to meet afresh. */
void	 encounter_part(struct encounter *c);
/* Ask its peer for a sign of life: what encounter_answered() is to be given, or 0, the two
 * have not met, and say HELLO to each other anyway. */
uint64_t encounter_ask(struct encounter *c);
/* Has its peer heard what was asked then?  What it said before does not count. */
int	 encounter_answered(const struct encounter *c, uint64_t asked);
/* clock_ms of the last that came from its peer; 0: nothing. */
uint64_t encounter_last(const struct encounter *c);
/* f came from its peer, for all in a room: 1, *whole is a message, or several if f says so,
 * which are valid until encounter_room_done(); or 0. */
int	 encounter_room(struct encounter *c, const void *room,
	    const struct bus_frame *f, struct slice *whole);
void	 encounter_room_done(struct encounter *c);
/* That room is left. */
void	 encounters_forget(struct encounters *es, const void *room);
/* So many bytes more, said in a room, are for its peer. */
void	 encounter_owes(struct encounter *c, size_t len);
void	 encounters_tick(struct encounters *es);
/* All that was said in rooms so far is published. */
void	 encounters_sent(struct encounters *es);
/* Redis went away with all that was on its way. */
void	 encounters_end(struct encounters *es);
void	 encounters_drained(struct encounters *es);

#endif
