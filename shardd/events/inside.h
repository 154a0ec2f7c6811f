/* What the files of this folder share: an application, a server, a client. */
#ifndef EVENTS_INSIDE_H
#define EVENTS_INSIDE_H

#include <stdint.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "proto/fasttcp.h"
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

struct targets;
struct events_server {			/* the part of a group that is here */
	struct events	*events;
	struct kennel_replica *replica;
	struct map	 by_id;		/* struct events_socket */
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
	void		(*say_far)(struct events_server *v,
			    const struct targets *t,
			    const struct fasttcp_frame *f);
};

struct events_socket {			/* a client */
	struct map_node	 by_id;		/* server->by_id */
	size_t		 index;		/* in server->sockets */
	struct events_server *server;
	struct kennel_socket *socket;
	struct fasttcp_in in;
	uint32_t	 last_id;	/* that was sent to it */
	uint32_t	 excepted;	/* server->round, if it is left out */
	struct roomer	 rooms;
	struct list	 incoming;	/* struct events_incoming: its streams */
	size_t		 nincoming;
	struct list	 lanes;		/* struct lane: streams to it */
	struct list	 asked;		/* struct asked: answers that it owes */
	struct list	 acks;		/* struct events_ack: answers owed to it */
	unsigned	 holds;		/* why it is not read */
	uint8_t		 high;		/* over its mark */
	uint8_t		 check_json;	/* objects are to be JSON */
	uint8_t		 no_reserved;	/* names of the client's own are refused */
	uint8_t		 warned;	/* of something that is said once */
	uint64_t	 queued;	/* bytes that were sent to it */
	uint64_t	 written;	/* of them, when it was last looked */
	uint64_t	 since;		/* clock_ms: written is that much */
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
