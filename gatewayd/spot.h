/*
 * Where a new replica begins, or a connection without a group goes: among the shards
 * that have room, by the rule of its route.
 */
#ifndef GATEWAYD_SPOT_H
#define GATEWAYD_SPOT_H

#include "common/bytes.h"

struct group;
struct placement;
struct site;

enum spot_rule {
	SPOT_LEAST,		/* the fewest connections */
	SPOT_SPREAD,		/* the fewest replicas, of whatever groups */
	SPOT_PACK,		/* the most connections */
	SPOT_HASH,		/* by name: the same ones again and again */
	SPOT_EVEN,		/* as the first, and before others are filled */
	SPOT_NRULES
};

/* "least", "spread", "pack", "hash", "even": 0, or -1. */
int	 spot_parse(const char *word, enum spot_rule *rule);
const char *spot_name(enum spot_rule rule);
/* Why a shard was taken, in words: "at the shard ...". */
const char *spot_words(enum spot_rule rule);
/* Does a replica begin though others of its group have room? */
int	 spot_eager(enum spot_rule rule);
/*
 * The site for a new replica of g (NULL: there is none yet, or no group), which has
 * room and no replica of it; NULL: there is none.  key: what is hashed, the name of
 * the group, or without one the uid.
 */
struct site *spot_find(struct placement *p, const struct group *g,
	    enum spot_rule rule, struct slice key);

#endif
