/* Descriptors of the application's own, watched by the loop. */
#ifndef SHARDD_WATCH_H
#define SHARDD_WATCH_H

/* The loop is over: those that the application has left are freed. */
void	 watch_end(void);

#endif
