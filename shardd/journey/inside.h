/* The inside of journeys, which the files of journey/ share. */
#ifndef SHARDD_JOURNEY_INSIDE_H
#define SHARDD_JOURNEY_INSIDE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "proto/capsule.h"
#include "proto/control.h"
#include "shardd/group/entrance.h"
#include "shardd/group/replica.h"
#include "shardd/group/shelf.h"
#include "shardd/journey/journey.h"

#define JOURNEY_EXPECT_MAX	64	/* asked for at a time */
#define JOURNEY_GUESTS_MAX	1024	/* whom a landing expects or holds */
#define JOURNEY_CROSSING_MAX	8	/* of one group, frozen together */
#define JOURNEY_CROSSINGS	16	/* at a time */
#define JOURNEY_CROSS_MAX	32	/* connections of all of them */
#define JOURNEY_TRIES		12	/* of one that is busy */
#define JOURNEY_AGAIN_MS	100	/* between two of them, and as much more each */
#define JOURNEY_EXPECT_MS	3000	/* that the other side needs to expect it */
#define JOURNEY_PROBE_MS	100	/* that neighbours need, with nobody paused */
#define JOURNEY_PAUSE_MS	500	/* for what a client has begun, at most: */
#define JOURNEY_PATIENCE_MS	10	/* at first, and each time twice as much */
#define JOURNEY_FENCE_MS	500	/* that neighbours need, with clients paused */
#define JOURNEY_LEAVE_MS	5000	/* and when the clients have gone */
#define JOURNEY_HOLD_MS		500	/* that the new replica needs to catch up */
#define JOURNEY_ADOPT_MS	2000	/* for ADOPTED, then the ferry is shut down */

struct control;
struct conn;
struct lookup_ticket;
struct crossing;

enum move_state {
	MOVE_SOUGHT,		/* its connection is not found yet */
	MOVE_WAITS,		/* for a place in the window, or to try again */
	MOVE_EXPECTING,		/* the other side was asked */
	MOVE_READY,		/* and has said EXPECTED */
	MOVE_CROSSING,		/* one of a crossing */
	MOVE_SENT,		/* frozen */
	MOVE_GONE		/* it has moved; its application is not told yet */
};

struct move {				/* one connection that is to go */
	struct list	 at;		/* of the departure, or crossing->moves */
	struct map_node	 by_id;		/* departure->by_id */
	struct map_node	 sought;	/* journeys->sought */
	struct departure *departure;
	struct crossing	*crossing;	/* NULL: none */
	struct conn	*conn;		/* NULL: not found, or departed */
	uint64_t	 id, replica, neighbour;
	uint64_t	 since;		/* clock_ms of the state; WAITS: until then */
	uint64_t	 paused;	/* clock_ns */
	unsigned	 hellos;	/* GONE: as many as there were then */
	enum move_state	 state;
	unsigned	 tries;
	uint32_t	 why;		/* CTL_F_*: could not go, the last time */
};

enum crossing_state {
	CROSSING_PROBE,		/* the neighbours are asked, nobody is paused */
	CROSSING_PAUSED,	/* what the clients have begun ends */
	CROSSING_FENCE,		/* the neighbours are asked */
	CROSSING_PACK,		/* they have answered: now */
	CROSSING_SENT,		/* frozen */
	CROSSING_LEAVING,	/* the neighbours are asked for the last time */
	CROSSING_LEFT,		/* they have answered, or will not */
	CROSSING_FAILED
};

struct crossing {			/* a few, of one replica */
	struct list	 at;		/* departure->crossings */
	struct departure *departure;
	uint64_t	 replica;
	struct list	 moves;
	size_t		 n;
	uint64_t	 since;		/* clock_ms of the state */
	uint64_t	 steps;		/* of the replica, when all were paused */
	enum crossing_state state;
	int		 asking;	/* a fence is out: it may not be freed */
	const char	*why;		/* FAILED */
	int		 awaits;	/* FAILED: for others did not answer */
};

struct departure {
	struct list	 at;		/* journeys->departures */
	struct journeys	*js;
	uint64_t	 id;
	struct control	*ferry;		/* NULL: it has ended */
	struct list	 fresh;		/* struct move: SOUGHT, WAITS */
	struct list	 later;		/* WAITS, to be tried again */
	struct list	 expected;	/* EXPECTING, READY */
	struct list	 crossings;	/* with those that are CROSSING, SENT */
	struct map	 by_id;		/* all of them */
	size_t		 ncrossings, ncrossing, nexpected;
	uint32_t	 pace;		/* moves a second; 0: no bound */
	uint64_t	 next;		/* clock_ns of the next, by the pace */
	uint64_t	 sent;		/* clock_ms of the oldest that is SENT; 0 */
	uint32_t	 moved, stayed;
	int		 no_more;	/* MOVEs */
	int		 stopped;	/* nothing new begins */
	int		 over;		/* FERRY_END was said */
};

enum guest_state {
	GUEST_ENTERING,		/* its entry in the lookup is not confirmed, or its
				   replica not ready */
	GUEST_EXPECTED,
	GUEST_HELD,		/* it is here; the replica is behind */
	GUEST_ADOPTED		/* ADOPTED is said, but perhaps not with the kernel */
};

struct guest {				/* one that is expected */
	struct list	 at;		/* landing->guests */
	struct map_node	 by_id;
	struct landing	*landing;
	struct entrance	 entrance;
	struct replica	*replica;	/* a reference; NULL: no group */
	const struct kennel_app *app;
	uint64_t	 id, neighbour;
	int		 kept;		/* with a place at the shelf */
	struct shelf_user shelf;
	struct capsule_mark *start;	/* how far the replica was */
	size_t		 nstart;
	enum guest_state state;
	uint64_t	 since;		/* clock_ms of HELD */
	uint64_t	 fenced;	/* the origin that was asked last */
	char		*record;
	size_t		 len;
	int		 fd;
	struct conn	*conn;		/* ADOPTED */
	uint64_t	 number;	/* of the ADOPTED, control_queued() */
	size_t		 uid_len;
	char		 uid[];
};

struct landing {
	struct list	 at;		/* journeys->landings */
	struct journeys	*js;
	uint64_t	 id;
	struct control	*ferry;		/* NULL: it has ended */
	pid_t		 pid;		/* of the other side's process; 0: unknown */
	int		 pidfd;		/* or -1 */
	struct list	 guests;
	struct map	 by_id;
	int		 ended;		/* FERRY_END came */
	int		 dead;		/* the other side is: all is ours */
	int		 stopped;
};

#endif
