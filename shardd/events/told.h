/* What neighbours tell: each word is a row. */
#ifndef EVENTS_TOLD_H
#define EVENTS_TOLD_H

#include <stdint.h>

struct events_server;
struct events_socket;
struct kennel_word;

/* To s alone, who was on its way: what the others have acted upon. */
void	 told_one(struct events_socket *s, uint64_t neighbour,
	    const struct kennel_word *w);
void	 told(struct events_server *v, uint64_t neighbour,
	    const struct kennel_word *w);

#endif
