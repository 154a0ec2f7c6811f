/*
 * The admin listener: GET /healthz, /readyz, /status and /metrics over HTTP, for
 * those who run the node.  It is apart from where clients connect, and nothing of it
 * is there.  Nobody is asked who he is: whoever can connect may read, and nothing
 * can be changed.
 */
#ifndef GATEWAYD_ADMIN_H
#define GATEWAYD_ADMIN_H

struct admin;
struct event_base;
struct settings;
struct status;

/* Listen as the settings say, before the gateway becomes its user: 0, and *fd, which
 * is -1 if that is nowhere; or -1 with errno. */
int	 admin_listen(const struct settings *s, int *fd);
/* fd is taken; look() says how things stand, whenever somebody asks.  NULL with
 * errno. */
struct admin *admin_new(struct event_base *base, int fd,
	    void (*look)(struct status *st, void *arg), void *arg);
void	 admin_free(struct admin *a);
/* Remove its Unix socket, if it is one. */
void	 admin_unlink(const struct settings *s);

#endif
