/*
 * The sockets that clients connect to: bound before anything else is started (or
 * passed to us already listening), listened on when the shards are there.
 */
#ifndef GATEWAYD_SOCKETS_H
#define GATEWAYD_SOCKETS_H

#include <stddef.h>

#include "common/listener.h"
#include "gatewayd/settings.h"

struct buf;
struct event_base;

struct sockets {
	const struct settings *settings;
	int		 bound[LISTEN_MAX];	/* until there are listeners */
	size_t		 nbound;
	int		 passed;	/* they were passed to us */
	struct listener	*listeners[LISTEN_MAX];
	size_t		 nlisteners;
};

/* What cannot be listened on ends the process, with a sentence. */
void	 sockets_bind(struct sockets *ss, const struct settings *settings);
/* Those of Unix sockets that we made are to be the user's: 0, or -1 with errno and
 * *path. */
int	 sockets_give(const struct sockets *ss, const char **path);
/* Accept; where they are goes to where, with commas.  0, or -1 with errno. */
int	 sockets_listen(struct sockets *ss, struct event_base *base,
	    listener_accept_cb *accept_cb, listener_refuse_cb *refuse_cb,
	    void *arg, struct buf *where);
/* Accept nobody for a while, or go on (0). */
void	 sockets_pause(struct sockets *ss, int on);
void	 sockets_close(struct sockets *ss);
void	 sockets_unlink(const struct sockets *ss);	/* those that we made */

#endif
