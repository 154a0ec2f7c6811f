/* Clients whose input needs more than one turn of the loop: each gets one in turn. */
#ifndef SHARDD_TURNS_H
#define SHARDD_TURNS_H

/*
 * One turn for the connections in clients->lines: as many as it has time for, at least one.  The two
 * lines are served in turns, so that who costs much delays who does not by no
 * more than one of them.
 * The work of a turn; arg is struct clients.
 */
void	 turns_run(void *arg);

#endif
