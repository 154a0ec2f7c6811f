/* Copies of descriptors of connections that shards serve. */
#include <unistd.h>

#include "gatewayd/copies.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"
#include "gatewayd/settings.h"

#define COPIES_RESERVE	256	/* descriptors for other than connections */
#define COPIES_SHARD	4	/* of them, for each shard */

size_t
copies_room(const struct settings *set, size_t descriptors)
{
	size_t	 others = COPIES_RESERVE + COPIES_SHARD * (size_t)set->max_shards +
		    set->handshakes_max + set->home_max + set->waiting_max +
		    set->linger_max;

	return (!set->cover || descriptors < others ? 0 : descriptors - others);
}

void
copies_allow(struct placement *p, size_t most)
{
	p->copies_max = most;
}

int
copies_wanted(const struct placement *p)
{
	return (p->copies_max > 0);
}

int
copies_keep(struct placement *p, struct place *place, int fd)
{
	if (place->fd != -1 || place->http || p->copies >= p->copies_max) {
		close(fd);
		return (-1);
	}
	place->fd = fd;
	p->copies++;
	return (0);
}

int
copies_take(struct placement *p, struct place *place)
{
	int	 fd = place->fd;

	if (fd != -1)
		p->copies--;
	place->fd = -1;
	return (fd);
}

void
copies_drop(struct placement *p, struct place *place)
{
	int	 fd = copies_take(p, place);

	if (fd != -1)
		close(fd);
}

size_t
copies_count(const struct placement *p)
{
	return (p->copies);
}
