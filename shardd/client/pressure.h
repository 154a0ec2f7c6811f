/*
 * When a client's queue passes its high mark, or the low one again, its application is
 * told: at the end of a turn, when the kernel has had what it takes.
 */
#ifndef SHARDD_PRESSURE_H
#define SHARDD_PRESSURE_H

struct conn;

/* The kernel had what it takes of c's queue. */
void	 pressure_look(struct conn *c);
/* The work of a turn: those whose queue has passed a mark are told; arg is struct
 * clients. */
void	 pressure_run(void *arg);

#endif
