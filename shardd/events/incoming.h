/*
 * Streams that clients send: to others, who get them over a relay, or to the server, to
 * whose handler they go.  One that nobody wants is not there, and its chunks
 * are passed over as those of any unknown id.
 */
#ifndef EVENTS_INCOMING_H
#define EVENTS_INCOMING_H

struct events_socket;
struct fasttcp_frame;
struct targets;

/* f opens a stream for t. */
void	 incoming_open_relay(struct events_socket *s,
	    const struct fasttcp_frame *f, const struct targets *t);
/* f opens a stream for the server; ack: an answer is wanted. */
void	 incoming_open_own(struct events_socket *s,
	    const struct fasttcp_frame *f, int ack);
void	 incoming_chunk(struct events_socket *s,
	    const struct fasttcp_frame *f);
void	 incoming_close(struct events_socket *s,
	    const struct fasttcp_frame *f);
/* s was lost: receivers of what it was sending get the end. */
void	 incoming_socket_gone(struct events_socket *s);

#endif
