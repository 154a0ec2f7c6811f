/* Streams of the server's own. */
#ifndef EVENTS_OUTGOING_H
#define EVENTS_OUTGOING_H

struct events_server;
struct events_socket;

/* s has gone: streams to it alone end. */
void	 outgoing_socket_gone(struct events_socket *s);
/* v ends, and with it all of them. */
void	 outgoing_clear(struct events_server *v);

#endif
