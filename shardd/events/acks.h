/*
 * Answers, both ways: those that clients wait for, and those that are awaited of
 * them.  Both end with the client's connection.
 */
#ifndef EVENTS_ACKS_H
#define EVENTS_ACKS_H

#include "shardd/kennel-events.h"

struct fasttcp_frame;

/* s waits for an answer to its frame id.  NULL with errno ENOMEM. */
struct events_ack *acks_new(struct events_socket *s, uint32_t id);
/* A handler had ack, which may be NULL, and has returned. */
void	 acks_handled(struct events_ack *ack);

/* s has been sent frame id, and is to answer it: 0, or -1 with errno ENOMEM. */
int	 asked_new(struct events_socket *s, uint32_t id, events_answer_cb *cb,
	    void *arg);
/* The same for whoever knows it by a number; f NULL: s has gone. */
typedef void	asked_raw_cb(struct events_server *v,
		    const struct fasttcp_frame *f, uint64_t number);
int	 asked_new_raw(struct events_socket *s, uint32_t id, asked_raw_cb *cb,
	    uint64_t number);
/* No answer is awaited any more. */
void	 asked_forget(struct events_socket *s, uint32_t id);
/* s says f, an ACK.  One that nobody waits for is passed over. */
void	 asked_answer(struct events_socket *s, const struct fasttcp_frame *f);

/* s has gone: what waits for it hears so, what it waits for is not sent. */
void	 acks_socket_gone(struct events_socket *s);

#endif
