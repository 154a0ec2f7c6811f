/* Where a new replica begins. */
#include <stdint.h>
#include <string.h>

#include "gatewayd/group.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"
#include "gatewayd/spot.h"

/* Is a to be taken rather than b?  Of equals the one that is there longer is. */

static int
spot_least(const struct site *a, const struct site *b, struct slice key)
{
	(void)key;
	return (a->count != b->count ? a->count < b->count :
	    a->nreplicas < b->nreplicas);
}

static int
spot_spread(const struct site *a, const struct site *b, struct slice key)
{
	(void)key;
	return (a->nreplicas != b->nreplicas ? a->nreplicas < b->nreplicas :
	    a->count < b->count);
}

static int
spot_pack(const struct site *a, const struct site *b, struct slice key)
{
	(void)key;
	return (a->count != b->count ? a->count > b->count :
	    a->nreplicas > b->nreplicas);
}

/* What key has drawn for a slot: FNV-1a, mixed; the same for ever. */
static uint64_t
spot_draw(struct slice key, uint32_t slot)
{
	uint64_t	 h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ (unsigned char)key.data[i]) * UINT64_C(0x100000001b3);
	h += (slot + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return (h ^ h >> 31);
}

/* The highest draw: a shard more or less moves no names but its own. */
static int
spot_hash(const struct site *a, const struct site *b, struct slice key)
{
	return (spot_draw(key, a->slot) > spot_draw(key, b->slot));
}

static const struct spot_row {
	const char	*name;
	int		(*before)(const struct site *a, const struct site *b,
			    struct slice key);
	const char	*words;
} spot_rows[SPOT_NRULES] = {
	[SPOT_LEAST]	= { "least", spot_least,
	    "at the shard with the fewest connections of those that have none" },
	[SPOT_SPREAD]	= { "spread", spot_spread,
	    "at the shard with the fewest replicas of those that have none of it "
	    "(place = spread)" },
	[SPOT_PACK]	= { "pack", spot_pack,
	    "at the shard with the most connections of those that have room and "
	    "no replica of it (place = pack)" },
	[SPOT_HASH]	= { "hash", spot_hash,
	    "at the shard that its name leads to, of those that have room and no "
	    "replica of it (place = hash)" },
	[SPOT_EVEN]	= { "even", spot_least,
	    "at the shard with the fewest connections of those that have none, for "
	    "each is to have one (place = even)" },
};

int
spot_parse(const char *word, enum spot_rule *rule)
{
	for (size_t i = 0; i < SPOT_NRULES; i++)
		if (strcmp(spot_rows[i].name, word) == 0) {
			*rule = (enum spot_rule)i;
			return (0);
		}
	return (-1);
}

const char *
spot_name(enum spot_rule rule)
{
	return (spot_rows[rule].name);
}

const char *
spot_words(enum spot_rule rule)
{
	return (spot_rows[rule].words);
}

int
spot_eager(enum spot_rule rule)
{
	return (rule == SPOT_EVEN);
}

struct site *
spot_find(struct placement *p, const struct group *g, enum spot_rule rule,
    struct slice key)
{
	struct list	*e, *tmp;
	struct site	*s, *best = NULL;

	p->mark++;
	if (g != NULL) {
		list_each(e, tmp, &g->replicas)
			list_entry(e, struct replica, at)->site->mark = p->mark;
	}
	list_each(e, tmp, &p->sites) {
		s = list_entry(e, struct site, at);
		if (s->mark == p->mark || !site_room(s))
			continue;
		if (best == NULL || spot_rows[rule].before(s, best, key))
			best = s;
	}
	return (best);
}
