/* Work for other threads. */
#ifndef SHARDD_WORK_H
#define SHARDD_WORK_H

/* The loop is over: jobs end, or are cancelled.  0, or -1: some still run, and what
 * they use may not be freed. */
int	 work_end(void);

#endif
