/*
 * The private redis-server: on <run dir>/redis.sock, append-only file in the state
 * directory.  One that an earlier gateway left and that still answers is taken over.
 * When it dies it is started again, with back-off.
 */
#ifndef GATEWAYD_REDISD_H
#define GATEWAYD_REDISD_H

struct gateway;
struct redisd;

/* ready_cb comes once, from the loop: it answers, or 5 s have passed.  NULL with errno
 * and a log line. */
struct redisd *redisd_new(struct gateway *g,
	    void (*ready_cb)(struct gateway *));
void	 redisd_free(struct redisd *d);
/* End it: done_cb when it has ended; it is killed after 3 s. */
void	 redisd_leave(struct redisd *d, void (*done_cb)(struct gateway *));
void	 redisd_kill(struct redisd *d);		/* at once */
const char *redisd_url(const struct redisd *d);

#endif
