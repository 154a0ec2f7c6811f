/*
 * What shards died of: steps of a group's shared state (proto/page.h), or its
 * resets, amid which a shard died or hung.  Whoever decides next gets the same
 * again; one that two shards did not survive is condemned, and is not to be tried a
 * third time.
 */
#ifndef GATEWAYD_POSTMORTEM_H
#define GATEWAYD_POSTMORTEM_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"

#define POSTMORTEM_DEATHS	2	/* after so many, a step is condemned */
#define POSTMORTEM_SUSPECTS	256	/* steps that are remembered, the latest */

struct postmortem {
	struct list	 suspects;	/* oldest first */
	size_t		 n;
};

struct suspect {		/* a step */
	struct list	 at;
	uint64_t	 origin, number;
	uint64_t	 last;		/* incarnation that it was blamed for last */
	unsigned	 deaths;
	size_t		 app_len, group_len;
	char		 names[];	/* application, group */
};

void	 postmortem_init(struct postmortem *p);
void	 postmortem_clear(struct postmortem *p);
/*
 * The shard of this incarnation died, or hangs, amid that step; said twice of one
 * shard it counts once.  Returns how many shards have (0: no memory to count).
 */
unsigned postmortem_blame(struct postmortem *p, struct slice app,
	    struct slice group, uint64_t origin, uint64_t number,
	    uint64_t incarnation);
/* A shard goes on: it was slow, and what was not condemned yet is not to blame. */
void	 postmortem_absolve(struct postmortem *p, uint64_t incarnation);
/* The condemned steps of a group, one after another (first: after is NULL). */
const struct suspect *postmortem_next(const struct postmortem *p,
	    struct slice app, struct slice group, const struct suspect *after);

#endif
