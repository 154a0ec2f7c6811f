/*
 * A room is what a replica knows of its clients: who they are, and which of their calls
 * are not answered.
 */
#ifndef SHARDD_APE_ROOM_H
#define SHARDD_APE_ROOM_H

#include "common/list.h"
#include "common/map.h"
#include "shardd/ape/recent.h"
#include "shardd/kennel-ape.h"

struct room {
	struct list	 at;		/* of all rooms of the process */
	struct kennel_replica *replica;	/* NULL: it has ended */
	struct map	 clients;	/* the first of each id */
	struct list	 calls;		/* struct ape_call */
	struct kennel_timer *beat;	/* NULL: there was no stream yet */
	size_t		 refs;		/* the replica's, and one a call */
};

struct ape_client {
	struct map_node	 by_id;
	struct list	 twins;		/* all of that id: a browser's streams */
	struct room	*room;
	struct kennel_socket *socket;
	void		*data;		/* the application's */
	struct list	 calls;		/* struct ape_call, not answered */
	struct list	 waiting;	/* struct room_text, until it is ready */
	size_t		 waiting_bytes;
	unsigned	 ncalls;
	uint8_t		 ready;
	uint8_t		 stream;	/* no WebSocket */
	uint8_t		 kept;		/* it has its checkpoint */
	struct recent	 recent;
	char		*session_id;	/* NULL: none */
	char		 id[APE_ID + 1];
	char		 session[APE_ID + 1];
};

/* A message that waits until its client is ready. */
struct room_text {
	struct list	 at;
	size_t		 len;
	char		 text[];
};

struct room *room_new(struct kennel_replica *r);	/* NULL without memory */
/* NULL: the replica has none, or is NULL. */
struct room *room_of(const struct kennel_replica *r);
/* All that have not ended (struct room, at). */
struct list *room_all(void);
void	 room_ref(struct room *room);
void	 room_unref(struct room *room);
/* The replica ends, and with it its clients. */
void	 room_end(struct room *room);

/* Another client; id NULL: it gets one.  It is listed.  NULL without memory. */
struct ape_client *room_add(struct room *room, struct kennel_socket *s,
	    const char *session, const char *id);
/* It is listed no more, and freed.  Its calls are nobody's. */
void	 room_remove(struct ape_client *c);
/* The first client of that id here, or NULL; the others are its twins. */
struct ape_client *room_find(const struct room *room, const char *id,
	    size_t len);
/* Keep a message until the client is ready.  0, or -1: too much waits. */
int	 room_wait(struct ape_client *c, const char *text, size_t len);

#endif
