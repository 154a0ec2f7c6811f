/* Questions that are under way, and where they have gone: see asking.h. */
#ifndef EVENTS_ASKINGS_H
#define EVENTS_ASKINGS_H

#include "common/list.h"
#include "common/map.h"
#include "common/turn.h"

struct kennel_timer;

struct askings {
	struct map	 by_number;	/* struct asking */
	struct list	 under_way;	/* the same, oldest first */
	struct list	 ended;		/* or those that are over, without an answer */
	uint64_t	 numbers;
	struct kennel_timer *timer;	/* while there are some */
	struct turn_work over;		/* some have ended */
	int		 closed;	/* there are to be no more */
};

/* Where a question has gone: to a host, or to a neighbour that knows the way. */
struct asking_way {
	unsigned	 host;
	uint64_t	 neighbour;
};

#endif
