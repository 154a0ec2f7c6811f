/*
 * Rooms: named sets of clients of this process.  A room exists while it has members.
 * Names are any bytes.
 */
#ifndef EVENTS_ROOMS_H
#define EVENTS_ROOMS_H

#include "common/bag.h"
#include "common/list.h"
#include "common/map.h"

#define ROOMS_MAX	100000		/* of one member */

/* Who may be in rooms, embedded in what it is. */
struct roomer {
	struct list	 in;		/* struct stay, oldest first */
	size_t		 n;
};

struct stay;
struct room {
	struct map_node	 by_name;	/* rooms->by_name */
	struct stay	**stays;	/* dense */
	size_t		 n, cap;
	size_t		 len;
	char		 name[];
};

/* A roomer in a room. */
struct stay {
	struct list	 at;		/* roomer->in */
	struct bag_node	 by_pair;	/* rooms->pairs */
	struct room	*room;
	struct roomer	*roomer;
	size_t		 index;		/* in room->stays */
};

struct rooms {
	struct map	 by_name;
	struct bag	 pairs;
	/* A room has one member more, or less; may be NULL. */
	void		(*changed)(struct rooms *all, struct room *room);
};

/* Zero-initialised is empty and valid; cleared when nobody is in one. */
void	 rooms_clear(struct rooms *all);
void	 roomer_init(struct roomer *r);
/* 0, also if r is in it already; or -1 with errno: ENOMEM, EDQUOT (ROOMS_MAX). */
int	 rooms_join(struct rooms *all, struct roomer *r, struct slice name);
void	 rooms_leave(struct rooms *all, struct roomer *r, struct slice name);
void	 rooms_leave_all(struct rooms *all, struct roomer *r);
int	 rooms_has(const struct rooms *all, const struct roomer *r,
	    struct slice name);
/* NULL: nobody is in it. */
struct room *rooms_find(const struct rooms *all, struct slice name);

#endif
