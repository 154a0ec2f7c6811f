/*
 * The admin listener: GET /healthz, /readyz, /status and /metrics over HTTP, for
 * those who run the node.  It is apart from where clients connect, and nothing of it
 * is there.  Nobody is asked who he is: whoever can connect may read, and nothing
 * can be changed.  Other servers, which have a key (colleague.h), get there what routes
 * give to clients.
 */
#ifndef GATEWAYD_ADMIN_H
#define GATEWAYD_ADMIN_H

#include "common/bytes.h"

struct admin;
struct buf;
struct event_base;
struct http_head;
struct settings;
struct status;

struct admin_ops {
	/* How do things stand? */
	void	(*look)(struct status *st, void *arg);
	/* Has any route this path? */
	int	(*serves)(const struct http_head *h, void *arg);
	/* Another server has asked h, the first of all that was read: takes fd. */
	void	(*colleague)(int fd, const char *peer,
		    const struct http_head *h, struct slice all, void *arg);
};

/* Listen as the settings say, or go on with what the program before this one left;
 * before the gateway becomes its user.  0, and *fd, which is -1 if that is nowhere; or
 * -1 with errno. */
int	 admin_listen(const struct settings *s, int *fd);
/* fd is taken; key, borrowed, is that of other servers: NULL, none is let in.  NULL with
 * errno. */
struct admin *admin_new(struct event_base *base, int fd, const char *key,
	    const struct admin_ops *ops, void *arg);
void	 admin_free(struct admin *a);
/* Another program is about to be executed in our place: whoever connects waits for that
 * (on), or not. */
void	 admin_pause(struct admin *a, int on);
/* Is somebody asking, who can be waited for?  No longer than ADMIN_SETTLE_MS after the
 * pause began, for a client that says nothing. */
int	 admin_asked(const struct admin *a);
/* Who connects waits for the program that is executed in our place (heritage.h). */
void	 admin_leave_to(const struct admin *a, const struct settings *s,
	    struct buf *will);
/* Remove its Unix socket, if it is one. */
void	 admin_unlink(const struct settings *s);

#endif
