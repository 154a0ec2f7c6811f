/*
 * Very many descriptors in an epoll set of their own, which is one event of the
 * loop: each costs its owner a byte, where an event of the loop's takes 170.
 * Level-triggered: what is not done is reported again.
 */
#ifndef COMMON_POLLER_H
#define COMMON_POLLER_H

#include <stdint.h>

struct event_base;
struct poller;

/* arg of the descriptor, and EV_READ, EV_WRITE and EV_CLOSED (the other side has shut
 * down its) as they apply: also what was not wanted (an error is READ and WRITE), or
 * is not any more in this turn. */
typedef void	poller_cb(void *arg, short what);

/* NULL with errno. */
struct poller *poller_new(struct event_base *base, poller_cb *ready);
void	 poller_free(struct poller *p);		/* closes no descriptor */
/* What is ready now, without the loop: arg is the poller.  How many. */
int	 poller_run(void *arg);
/*
 * Want what (EV_READ | EV_WRITE | EV_CLOSED; 0: nothing) of fd.  *have, zeroed at first, is
 * what is wanted now, and nothing is done if that is the same.  0, or -1 with errno
 * and *have unchanged.  Want nothing before fd is closed or sent away, and before
 * arg is freed: the callback does not get arg any more, also for what was reported
 * already.
 */
int	 poller_want(struct poller *p, int fd, uint8_t *have, short what,
	    void *arg);

#endif
