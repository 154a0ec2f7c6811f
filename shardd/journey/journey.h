/* What all journeys of a shard share; journeys.c makes and ends it. */
#ifndef SHARDD_JOURNEY_H
#define SHARDD_JOURNEY_H

#include "common/list.h"
#include "common/map.h"
#include "common/turn.h"

struct event;
struct event_base;
struct gate;
struct groups;
struct sessions;

struct journeys {
	struct event_base *base;
	struct sessions	*sessions;
	struct groups	*groups;
	struct gate	*gate;
	struct list	 departures;	/* struct departure */
	struct list	 landings;	/* struct landing */
	struct map	 sought;	/* struct move, by connection: not found yet */
	unsigned	 leaving;	/* have moved, and the gateway has not been told:
					   it counts them here, too */
	unsigned	 hellos;	/* that named none of these */
	struct turn_work work;		/* something may go on */
	struct event	*tick;		/* while anything waits */
};

#endif
