/*
 * Questions to one client by its id, wherever it is: here, in another process, or at another
 * host that is reached over kennels alone.  Each ends once: with the client's answer, or
 * with why there is none.
 */
#ifndef EVENTS_ASKING_H
#define EVENTS_ASKING_H

#include "proto/fasttcp.h"
#include "shardd/events/asking_why.h"

struct events_server;
struct events_socket;
struct word;

/* answer: its data type and data; NULL: why says why not. */
typedef void	asking_cb(struct events_server *v,
		    const struct fasttcp_frame *answer, enum asking_why why,
		    void *arg);

void	 asking_init(struct events_server *v);
/* All end without an answer. */
void	 asking_clear(struct events_server *v);
/* Ask the client id f's event and data.  ASKING_ANSWERED: cb is called, later; else why it
 * cannot be. */
enum asking_why asking_ask(struct events_server *v, struct slice id,
	    unsigned ms, const struct fasttcp_frame *f, asking_cb *cb,
	    void *arg);
/* Is that the id of a client of another host? */
int	 asking_is_far(const struct events_server *v, struct slice id);
/* The question of that number is answered, or not. */
void	 asking_answered(struct events_server *v, uint64_t number,
	    enum asking_why why, const struct fasttcp_frame *answer);
/* That host is not reached any more. */
void	 asking_host_gone(struct events_server *v, unsigned host);

/* ---- neighbours ---- */

/* One has asked (WORD_ASK), or answers (WORD_ANSWER). */
void	 asking_told(struct events_server *v, uint64_t neighbour,
	    const struct word *w, struct slice data);
void	 asking_told_answer(struct events_server *v, uint64_t neighbour,
	    const struct word *w, struct slice data);
/* The same question to s, who was on its way. */
void	 asking_told_one(struct events_socket *s, uint64_t neighbour,
	    const struct word *w, struct slice data);
void	 asking_neighbour_gone(struct events_server *v, uint64_t neighbour);

#endif
