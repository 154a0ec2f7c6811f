/*
 * What nodes of a network say to each other, as JSON objects: links and rooms that come
 * and go, and messages for clients of others.
 */
#ifndef EVENTS_DISCOVERY_H
#define EVENTS_DISCOVERY_H

#include "common/bytes.h"
#include "proto/fasttcp.h"
#include "shardd/events/word.h"

#define HOST_MAX	64		/* bytes of a host's name */
#define LINK_MAX	160		/* of a link's */
#define ROOM_MAX	16384		/* of a room's */

/* NEW_LINK and DEL_LINK, JOIN_ROOM and LEAVE_ROOM: each has its own members, and another
 * one's are nothing. */
struct discovery {
	struct slice	 source, destination, link;
	double		 cost;		/* NEW_LINK: above 0, below 1e9; 1 if not said */
	struct slice	 host, room;
	uint64_t	 ref;
	int		 kennel;	/* NEW_LINK: its source is a kennel */
	struct buf	 text;		/* what the others point into */
};

/* A message for clients: TO_SOCKET, TO_ROOM, BROADCAST. */
struct letter {
	enum word_whom	 whom;
	struct slice	 names;		/* ids or rooms, separated by commas */
	struct slice	 except;	/* ids; data NULL: none */
	struct slice	 event;
	uint8_t		 data_type;
	struct slice	 data;
	struct buf	 text;
};

/* May a host have this name? */
int	 discovery_host_ok(struct slice name);

/* Of f, NEW_LINK to LEAVE_ROOM: 0, or -1: it is not whole and right.  Clear it always;
 * zero-initialised is clear. */
int	 discovery_read(struct discovery *d, const struct fasttcp_frame *f);
void	 discovery_clear(struct discovery *d);
/* Append it, for such a frame. */
void	 discovery_write(struct buf *b, enum fasttcp_type type,
	    const struct discovery *d);

/* The same of messages for clients.  Names with a comma cannot be meant. */
int	 letter_read(struct letter *l, const struct fasttcp_frame *f);
void	 letter_clear(struct letter *l);
/* Data as JSON has it: binary is {"type":"Buffer","data":[...]}, and so are objects that
 * are not JSON; infinite numbers are null. */
void	 letter_write(struct buf *b, const struct letter *l);

#endif
