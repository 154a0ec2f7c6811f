/*
 * How a session ends: with other nodes, Redis is asked whether this was the last of its
 * uid in the group; the gateway is told GONE, and when it has said PARTED (was this the
 * last in the node?), the application's onclose or onerror runs.
 */
#ifndef SHARDD_PARTING_H
#define SHARDD_PARTING_H

#include <stdint.h>

struct conn;
struct sessions;

void	 parting_init(struct sessions *s);
/* c departed: leave its group, tell the gateway, wait for PARTED. */
void	 parting_begin(struct conn *c);
/* The gateway said PARTED for that connection. */
void	 parting_said(struct sessions *s, uint64_t id, int last);
/* The gateway went away: nobody will say PARTED for those who wait. */
void	 parting_all(struct sessions *s);
/* Nor for those who have waited longer than a second. */
void	 parting_late(struct sessions *s);
/* How many have departed, and the gateway was not told yet: it counts them. */
unsigned parting_untold(const struct sessions *s);
/* Does nobody wait? */
int	 parting_none(const struct sessions *s);

#endif
