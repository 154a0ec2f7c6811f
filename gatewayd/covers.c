/* Copies of descriptors of connections that shards serve. */
#include <unistd.h>

#include "gatewayd/covers.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"
#include "gatewayd/settings.h"

#define COVERS_RESERVE	256	/* descriptors for other than connections */
#define COVERS_SHARD	4	/* of them, for each shard */

size_t
covers_room(const struct settings *set, size_t descriptors)
{
	size_t	 others = COVERS_RESERVE + COVERS_SHARD * (size_t)set->max_shards +
		    set->handshakes_max + set->home_max + set->waiting_max +
		    set->linger_max;

	return (!set->cover || descriptors < others ? 0 : descriptors - others);
}

void
covers_allow(struct placement *p, size_t most)
{
	p->covers_max = most;
}

int
covers_wanted(const struct placement *p)
{
	return (p->covers_max > 0);
}

/* A shard has it, or it ends: it is no longer on its way. */
static void
covers_came(struct placement *p, struct place *place)
{
	p->coming -= place->coming;
	place->coming = 0;
}

int
covers_keep(struct placement *p, struct place *place, int fd)
{
	covers_came(p, place);
	if (place->fd != -1 || place->http || p->covers >= p->covers_max) {
		close(fd);
		return (-1);
	}
	place->fd = fd;
	p->covers++;
	return (0);
}

int
covers_take(struct placement *p, struct place *place)
{
	int	 fd = place->fd;

	if (fd != -1)
		p->covers--;
	place->fd = -1;
	return (fd);
}

void
covers_drop(struct placement *p, struct place *place)
{
	int	 fd = covers_take(p, place);

	covers_came(p, place);
	if (fd != -1)
		close(fd);
}

size_t
covers_count(const struct placement *p)
{
	return (p->covers);
}

size_t
covers_most(const struct placement *p)
{
	return (p->covers_max);
}

size_t
covers_missing(const struct placement *p)
{
	return (p->open - p->covers - p->coming);
}
