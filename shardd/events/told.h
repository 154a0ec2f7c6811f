/* What neighbours tell: each word is a row. */
#ifndef EVENTS_TOLD_H
#define EVENTS_TOLD_H

#include <stdint.h>

struct events_server;
struct kennel_word;

void	 told(struct events_server *v, uint64_t neighbour,
	    const struct kennel_word *w);

#endif
