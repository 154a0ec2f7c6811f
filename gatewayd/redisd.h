/*
 * The private redis-server: on <run dir>/redis.sock, append-only file in the state
 * directory.  One that an earlier gateway left and that still answers is taken over.
 * When it dies it is started again, with back-off.
 */
#ifndef GATEWAYD_REDISD_H
#define GATEWAYD_REDISD_H

#include <sys/types.h>

struct event_base;
struct redisd;
struct settings;

/* ready_cb comes once, from the loop: it answers, or 5 s have passed.  NULL with errno
 * and a log line. */
struct redisd *redisd_new(struct event_base *base,
	    const struct settings *settings, void (*ready_cb)(void *arg),
	    void *arg);
void	 redisd_free(struct redisd *d);
/* End it: done_cb, with the same arg, when it has ended; it is killed after 3 s. */
void	 redisd_leave(struct redisd *d, void (*done_cb)(void *arg));
void	 redisd_kill(struct redisd *d);		/* at once */
const char *redisd_url(const struct redisd *d);
pid_t	 redisd_pid(const struct redisd *d);	/* 0: none is running */

#endif
