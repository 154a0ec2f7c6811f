/* What the files of this folder share: an application, a server, a client. */
#ifndef EVENTS_INSIDE_H
#define EVENTS_INSIDE_H

#include <stdint.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "proto/fasttcp.h"
#include "shardd/events/askings.h"
#include "shardd/events/rooms.h"
#include "shardd/kennel-events.h"

/* Ids of frames: who is registered reads the first; what is sent to many, and is never
 * answered, has the other. */
#define ID_REGISTER	2
#define ID_SHARED	1

/* Which dialects a listener serves. */
enum speaks { SPEAKS_D1, SPEAKS_D2, SPEAKS_EITHER };

#define STREAMS_MAX	1024		/* that one client sends at a time */

struct events {				/* an application */
	const char	*name;
	struct map	 handlers;	/* struct handler, by name */
	struct handler	*other;		/* for names that have none */
	events_socket_cb *connected, *disconnected;
	void		*connected_arg, *disconnected_arg;
	const struct events_serializer *serializer;
	events_socket_cb *downlink_added, *downlink_removed;
	void		*downlink_arg;
	const struct events_move_ops *move;	/* NULL: see transit.c */
	events_room_cb	*room;
	void		*room_arg;
};

struct relay;
struct targets;
struct voyage;

/* The way to other hosts, for whoever has something for them. */
struct far_ops {
	/* f to those of t who are there.  by: the client that says so, or NULL; or the
	 * number of one that neighbour has, or 0.  If too much waits for the links there,
	 * it waits, and 1 is returned. */
	int	(*say)(struct events_server *v, struct events_socket *by,
		    const struct targets *t, const struct fasttcp_frame *f);
	int	(*say_for)(struct events_server *v, uint64_t neighbour,
		    uint64_t by, const struct targets *t,
		    const struct fasttcp_frame *f);
	/* r's stream goes there, too.  NULL: nobody is there. */
	struct voyage *(*open)(struct events_server *v, struct relay *r,
		    const struct targets *t, const struct fasttcp_frame *f);
	void	(*chunk)(struct voyage *y, const struct fasttcp_frame *f);
	void	(*end)(struct voyage *y);	/* frees y */
	/* A question to a client there, to be answered with that number.  0, with the way
	 * that it has gone; or -1: there is none. */
	int	(*ask)(struct events_server *v, uint64_t number, unsigned ms,
		    struct slice id, const struct fasttcp_frame *f,
		    struct asking_way *way);
};

struct events_server {			/* the part of a group that is here */
	struct events	*events;
	struct kennel_replica *replica;
	struct map	 by_id;		/* struct events_socket */
	struct bag	 by_number;	/* the same, by kennel_socket_id() */
	struct events_socket **sockets;	/* dense */
	size_t		 n, cap;
	struct rooms	 rooms;
	uint32_t	 round;		/* of those who are excepted */
	/* Streams. */
	struct bag	 incoming;	/* struct events_incoming */
	struct map	 relays;	/* struct relay, by key */
	uint64_t	 numbers;	/* of relays that begin here */
	struct list	 outgoing;	/* struct events_outgoing */
	struct kennel_timer *timer;	/* while there are relays */
	struct kennel_timer *kept_timer; /* while one keeps what it has said */
	/* Answers that clients owe. */
	struct bag	 asked;		/* struct asked */
	/* The network of hosts. */
	struct holder	*holder;	/* NULL: we are no host of it */
	struct slice	 host;		/* our name there; empty: none */
	struct list	 links;		/* struct uplink */
	const struct uplink_ops *uplink_ops;
	const struct far_ops *far;	/* NULL: we are no host of it */
	struct list	 waiting;	/* clients that wait for links */
	uint64_t	 waited;	/* clock_ms: since when */
	uint64_t	 looked;	/* clock_ms of the last uplink_look() */
	uint64_t	 overdone;	/* clock_ms: that a list is too long was said */
	struct askings	 asking;	/* questions to clients, by their ids */
};

struct events_socket {			/* a client */
	/* First what everybody's messages use: few lines of the cache for each. */
	struct events_server *server;
	struct kennel_socket *socket;
	struct fasttcp_in in;
	uint32_t	 excepted;	/* server->round, if it is left out */
	uint32_t	 last_id;	/* that was sent to it */
	uint64_t	 queued;	/* bytes that were sent to it */

	struct map_node	 by_id;		/* server->by_id */
	struct bag_node	 by_number;	/* server->by_number */
	size_t		 index;		/* in server->sockets */
	struct roomer	 rooms;
	struct list	 incoming;	/* struct events_incoming: its streams */
	size_t		 nincoming;
	struct list	 lanes;		/* struct lane: streams to it */
	struct list	 asked;		/* struct asked: answers that it owes */
	struct list	 acks;		/* struct events_ack: answers owed to it */
	struct list	 outgoing;	/* struct events_outgoing: to it alone */
	struct list	 waits;		/* server->waiting: it has filled a link */
	unsigned	 holds;		/* why it is not read */
	uint8_t		 high;		/* over its mark */
	uint8_t		 check_json;	/* objects are to be JSON */
	uint8_t		 no_reserved;	/* names of the client's own are refused */
	uint8_t		 warned;	/* of something that is said once */
	uint64_t	 taken;		/* of what was queued, when it was last looked */
	uint64_t	 since;		/* clock_ms: until then it has read enough */
	uint32_t	 stuck_ms;	/* the time that it has */
	void		*data;		/* the program's */
	/* Until it is registered. */
	struct handshake *handshake;	/* NULL: it is over */
	uint8_t		 registered;	/* it is a client */
	uint8_t		 kept;		/* it has its checkpoint */
	uint8_t		 speaks;	/* enum speaks */
	uint8_t		 psk_optional;	/* without a key any proof is good */
	uint32_t	 handshake_ms, silence_ms;
	struct uplink	*link;		/* it is a link, and no client */
	struct slice	 id;		/* terminated */
	char		*own_id;	/* malloc'd, unless that is its uid */
};

static inline struct slice
socket_id(const struct events_socket *s)
{
	return (s->id);
}

/* The next id for a frame to s: its own counter, from 2 up, and from 1 after the
 * highest. */
static inline uint32_t
socket_next_id(struct events_socket *s)
{
	if (++s->last_id == 0)
		s->last_id = 1;
	return (s->last_id);
}

#endif
