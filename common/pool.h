/*
 * A pool of threads for what would block the loop: files, name servers, libraries
 * that wait.  Threads are started as they are needed, and stay.
 *
 * Its functions are for the loop's thread.
 */
#ifndef COMMON_POOL_H
#define COMMON_POOL_H

#include <stddef.h>

struct event_base;
struct pool;

/* In a thread of the pool. */
typedef void	pool_job_cb(void *arg);
/* On the loop, when the job has returned: err 0.  ECANCELED: it never began. */
typedef void	pool_done_cb(int err, void *arg);

/* At most so many threads, and so many jobs that wait for one.  NULL with errno. */
struct pool *pool_new(struct event_base *base, size_t threads, size_t queue);
/* 0, or -1 with errno and nothing happens: EAGAIN (queue is full, or there is no
 * thread to be had), ENOMEM.  done may be NULL. */
int	 pool_run(struct pool *p, pool_job_cb *job, pool_done_cb *done, void *arg);
/*
 * The end: jobs that wait are cancelled, those that have begun are waited for, for ms
 * at most, all of them are done before it returns.  How many still run; then p and
 * these threads are left as they are, else p is freed.
 */
size_t	 pool_end(struct pool *p, unsigned ms);

#endif
