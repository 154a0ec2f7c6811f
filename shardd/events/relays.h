/*
 * The inside of relays (relay.h): their lanes, their marks, and what they keep for
 * receivers who are on their way to this process.
 */
#ifndef EVENTS_RELAYS_H
#define EVENTS_RELAYS_H

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "shardd/events/word.h"

struct events_server;
struct events_socket;
struct kept;
struct voyage;

struct relay_source {
	/* Wait (1), or go on (0). */
	void	(*press)(void *arg, int high);
};

/* A neighbour with receivers. */
struct far {
	uint64_t	 neighbour;
	int		 high;
};

struct relay {
	struct map_node	 by_key;	/* server->relays, key is of */
	struct {
		uint64_t replica, number;
	}		 of;		/* where it begins, and its number there */
	struct events_server *server;
	struct list	 lanes;
	size_t		 nlanes, nhigh;
	struct far	*fars;		/* only where it begins */
	size_t		 nfars, capfars;
	int		 pressed;	/* its source is to wait */
	int		 behind;	/* too much waits for another process */
	struct voyage	*voyage;	/* on its way to other hosts; or NULL */
	int		 voyage_high;	/* there, or on the way, it is to wait */
	struct kept	*kept;		/* for receivers on their way; or NULL */
	int		 over;		/* all was said; it is there for kept */
	const struct relay_source *source;
	void		*arg;
	size_t		 event_len;
	char		 event[];
};

/* One receiver's stream. */
struct lane {
	struct list	 of_relay, of_socket;
	struct relay	*relay;
	struct events_socket *socket;
	uint32_t	 id;
};

/* Does r begin in this process? */
int	 relays_is_ours(const struct relay *r);
/* The relay of that stream, or NULL. */
struct relay *relays_find(const struct events_server *v, uint64_t replica,
	    uint64_t number);
/* A relay without lanes.  NULL without memory. */
struct relay *relays_new(struct events_server *v, uint64_t replica,
	    uint64_t number, struct slice event);
/* r ends, and its source may go on. */
void	 relays_free(struct relay *r);
/* A lane to s.  NULL without memory.  And its end; the client is told nothing. */
struct lane *relays_lane_new(struct relay *r, struct events_socket *s);
void	 relays_lane_free(struct lane *l);
/* A word about r to the replica where it begins. */
void	 relays_tell_source(const struct relay *r, enum word_type type,
	    uint32_t flags);
/* Is any receiver over its mark, or the way there full?  If that is new, the source hears
 * of it. */
void	 relays_press(struct relay *r);

/* From now on r keeps what it says, if somebody is on the way here. */
void	 relays_keep(struct relay *r);
/* Is one of them still to come?  Else nothing is kept any more. */
int	 relays_awaits(struct relay *r);
/* All is said, and only kept: nobody here hears more of r. */
void	 relays_over(struct relay *r);

#endif
