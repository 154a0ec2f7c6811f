/* A frame for the server, as the program gets it. */
#ifndef EVENTS_MESSAGE_H
#define EVENTS_MESSAGE_H

#include "shardd/kennel-events.h"

struct fasttcp_frame;

/* Call run with f, which s has sent and for which an answer is wanted (ack), or not.  Nothing
 * happens without memory. */
void	 message_give(struct events_socket *s, const struct fasttcp_frame *f,
	    int ack, events_handler *run, void *arg);

#endif
