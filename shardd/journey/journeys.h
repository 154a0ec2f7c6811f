/*
 * Journeys: connections move between this shard and others, as the gateway wants.  The
 * side that they leave is departure.h, the other one landing.h; both speak over a
 * ferry (proto/control.h).
 */
#ifndef SHARDD_JOURNEYS_H
#define SHARDD_JOURNEYS_H

#include <stdint.h>

#include "shardd/journey/journey.h"

struct ctl;
struct event_base;
struct gate;
struct groups;
struct move;
struct sessions;


/* The others are borrowed.  0, or -1 with errno ENOMEM. */
int	 journeys_init(struct journeys *js, struct event_base *base,
	    struct sessions *s, struct groups *gs, struct gate *gate);
/* What is under way is settled at once, then nothing is. */
void	 journeys_clear(struct journeys *js);

/* Where a connection goes whose conn->move that is. */
uint64_t journeys_neighbour(const struct move *m);

/* FERRY, with its descriptor, which is taken on success; 0, or -1 with errno. */
int	 journeys_ferry(struct journeys *js, const struct ctl *m, int fd);
/* MOVE, and JOURNEY_END. */
void	 journeys_move(struct journeys *js, const struct ctl *m);
void	 journeys_no_more(struct journeys *js, const struct ctl *m);
/* Connections that have moved, and of which the gateway has not been told that yet. */
unsigned journeys_leaving(const struct journeys *js);
/* One is about to be told all that is here: who is on the way is here, or is not. */
void	 journeys_settle(struct journeys *js);
/* A gateway has been told all that is here, without them. */
void	 journeys_greeted(struct journeys *js);
/* The gateway is gone: what has not been frozen stays. */
void	 journeys_orphaned(struct journeys *js);

#endif
