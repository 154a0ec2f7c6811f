/* The gateway leaves all that it has to another program in its place, and such a program
 * takes it. */
#ifndef GATEWAYD_SUCCESSOR_H
#define GATEWAYD_SUCCESSOR_H

#include <stddef.h>

struct gateway;
struct shard;

/* For succession.h: all of a gateway.  0, or -1 (no memory). */
int	 successor_init(struct gateway *g);
/* Have the program replaced: 0, or -1 with a sentence in why; arg is the gateway. */
int	 successor_begin(void *arg, char *why, size_t size);
/* Clients that the program before this one left: it accepts now. */
void	 successor_inherit(struct gateway *g);
/* A shard holds the sockets that clients connect to, for the next gateway. */
void	 successor_lend(const struct gateway *g, struct shard *s);

#endif
