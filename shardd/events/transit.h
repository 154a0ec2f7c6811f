/*
 * A client goes to another process, with what is known of it, and comes from one.  Peers of
 * the network stay: their links end with their process, and come again.
 */
#ifndef EVENTS_TRANSIT_H
#define EVENTS_TRANSIT_H

#include <stddef.h>

struct events_server;
struct events_socket;
struct kennel_blob;
struct kennel_word;

/* Can s go?  Then what is known of it is added to the blob: 0.  -1 with errno EAGAIN: not
 * now; ENOTSUP: never. */
int	 transit_pack(struct events_socket *s, struct kennel_blob *b);
/* s has begun something, or ended it: as long as nothing of it is under way, it has a
 * checkpoint, with which it goes on if this process dies.  It is in other rooms: the
 * same, another one. */
void	 transit_touch(struct events_socket *s);
void	 transit_touch_rooms(struct events_socket *s);
/* s, of which its listener's settings are known, is what these bytes say: it can be
 * reached from now on.  0, or -1, and it cannot. */
int	 transit_unpack(struct events_socket *s, const char *data, size_t len,
	    int how);
/* s is another process's, or has never been ours; relay_socket_gone() was called. */
void	 transit_end(struct events_socket *s, int how);

#endif
