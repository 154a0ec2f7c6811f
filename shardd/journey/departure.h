/*
 * The side of a journey that connections leave.
 *
 * Each is first expected by the other side, while it goes on as ever.  Then a few of one
 * group, a crossing, go together: all neighbours answer a fence, so that none of them
 * hangs; the clients are paused, and what they have begun ends; a second fence says
 * that all they said has been acted on everywhere, and how far each neighbour has come;
 * then they are frozen and sent in one turn.
 */
#ifndef SHARDD_DEPARTURE_H
#define SHARDD_DEPARTURE_H

#include <stdint.h>

struct ctl;
struct departure;
struct journeys;
struct move;

/* FERRY: fd is taken.  NULL with errno. */
struct departure *departure_new(struct journeys *js, const struct ctl *m,
	    int fd);
/* MOVE, for a departure that there may not be any more. */
void	 departure_move(struct journeys *js, const struct ctl *m);
void	 departure_no_more(struct journeys *js, const struct ctl *m);
/* The gateway is gone. */
void	 departure_stop(struct departure *d);
/* Go on, if there is anything to do; may free d.  Returns whether something waits. */
int	 departure_run(struct departure *d);
/* This process ends: who has what is settled at once. */
void	 departure_end(struct departure *d);
/* The connection of m has departed. */
void	 departure_move_ended(struct move *m);

#endif
