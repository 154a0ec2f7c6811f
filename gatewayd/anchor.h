/*
 * An anchor is a replica that stays though nobody is connected to it: one on this node
 * for each group that is to be there always, as its listener says (always = yes).  When
 * its shard leaves, hangs or dies, another replica is the anchor, or is made.
 */
#ifndef GATEWAYD_ANCHOR_H
#define GATEWAYD_ANCHOR_H

#include "common/bytes.h"

struct anchors;
struct event_base;
struct placement;
struct settings;

/* From the loop, from now on.  Both are borrowed.  NULL without memory. */
struct anchors *anchors_new(struct event_base *base,
	    const struct settings *settings, struct placement *placement);
void	 anchors_free(struct anchors *a);
/* Is that group to be there always? */
int	 anchors_keep(const struct settings *settings, struct slice app,
	    struct slice group);

#endif
