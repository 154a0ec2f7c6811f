/*
 * Notices say to clients here, and to the program, how many members a room has in the whole
 * network: events room/register and room/unregister, an object {"room":…,"ref":…}.  The
 * holder of the network makes them, one a room for whatever happens within a tenth of a
 * second; all replicas keep what was said last, for the next holder to go on from.
 */
#ifndef EVENTS_NOTICES_H
#define EVENTS_NOTICES_H

#include <stdint.h>

#include "common/bytes.h"

struct events_server;
struct events_socket;
struct notices;
struct word;

/* Members of a room in the whole network. */
typedef uint64_t notices_total_cb(void *arg, struct slice room);

/* As the option app.room_events says, and v's program wants.  *n is NULL where nobody wants
 * any.  0, or -1 without memory. */
int	 notices_new(struct notices **n, struct events_server *v,
	    notices_total_cb *total, void *arg);
void	 notices_free(struct notices *n);
/* n may be NULL for these.  This process holds the network from now on (again: another one
 * did before, and it takes a while until all is known), or no longer. */
void	 notices_hold(struct notices *n, int again);
void	 notices_resign(struct notices *n);
/* To the holder: a room has another number of members, perhaps. */
void	 notices_changed(struct notices *n, struct slice room);
/* The holder has said so. */
void	 notices_told(struct notices *n, const struct word *w);
/* The same, missed by a client who was on its way: for s alone. */
void	 notices_told_one(struct notices *n, struct events_socket *s,
	    const struct word *w);

#endif
