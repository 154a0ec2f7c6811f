/*
 * The end of a turn: what connections are owed is written.  Those who are answered
 * come first, those who the gateway must know of first come last, and a crowd is
 * written to while there is time.
 *
 * All are the work of a turn; arg is struct clients.
 */
#ifndef SHARDD_FLUSH_H
#define SHARDD_FLUSH_H

void	 flush_run(void *arg);
void	 flush_run_late(void *arg);
void	 flush_run_crowd(void *arg);
void	 flush_run_pressed(void *arg);	/* whose queue passed a mark is told of */

#endif
